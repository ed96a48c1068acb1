// What went wrong, in the server's own words, and which fields it is about.

import { Disconnected, Refused } from '../../client/index.ts';

export function Refusal({ error }: { error: unknown }) {
  if (error === undefined || error === null) return null;
  return (
    <div className="refusal" role="alert">
      <p>{describe(error)}</p>
      <Fields details={error instanceof Refused ? error.details : undefined} />
    </div>
  );
}

function Fields({ details }: { details: unknown }) {
  if (!Array.isArray(details)) return null;
  const fields: unknown[] = details;
  return (
    <ul>
      {fields.filter(isField).map(({ path, message }) => (
        <li key={`${path} ${message}`}>
          <b>{nameOf(path)}</b>: {message}
        </li>
      ))}
    </ul>
  );
}

function describe(error: unknown): string {
  if (error instanceof Disconnected) {
    return `${error.message} Whether it was done is not known: look, and try again.`;
  }
  if (!(error instanceof Error)) return String(error);
  if (error instanceof Refused && error.retryAfterMs !== undefined) {
    return `${error.message} (in ${Math.ceil(error.retryAfterMs / 1_000)} s)`;
  }
  return error.message;
}

const isField = (value: unknown): value is { path: string; message: string } =>
  typeof value === 'object' && value !== null && 'path' in value && 'message' in value;

/** `/payload/content` is the content. */
const nameOf = (path: string): string => path.replace(/^\/(?:payload|body)\/?/, '') || 'input';

// What of an error and of a text may stand in a log: what went wrong and where, never what somebody sent, nor a secret.
// Errors carry more than they say: a Redis error the command with its password, a database's the values of its row.

/** An error as the log has it. Nothing else of it is taken over, whatever its library puts there. */
export interface LoggedError {
  readonly type: string;
  readonly message: string;
  readonly code?: string;
  /** Only the places; the message is above. */
  readonly stack?: string;
  readonly cause?: LoggedError;
  readonly errors?: readonly LoggedError[];
}

const maxMessageLength = 1_000;
const maxDepth = 6;

/** A pino serializer. */
export function toLoggedError(error: unknown, depth = 0): LoggedError {
  if (!(error instanceof Error)) {
    // Whatever was thrown may be anything that somebody sent; a text is most likely an explanation.
    return {
      type: typeof error,
      message: typeof error === 'string' ? cutSecrets(error) : 'No error was thrown.',
    };
  }
  const { name, stack, cause } = error;
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined;
  const errors = error instanceof AggregateError ? error.errors : [];
  return {
    type: name,
    message: describeError(error),
    ...(code !== undefined && { code }),
    ...(stack !== undefined && { stack: placesOf(stack) }),
    ...(cause !== undefined && depth < maxDepth && { cause: toLoggedError(cause, depth + 1) }),
    ...(errors.length > 0 &&
      depth < maxDepth && { errors: errors.slice(0, 10).map((one) => toLoggedError(one, depth + 1)) }),
  };
}

/** What the error says, without what it repeats of the input. */
export function describeError(error: unknown): string {
  if (!(error instanceof Error)) return 'Something that is no error was thrown.';
  const { message } = error;
  // Drizzle's: the parameters follow the statement, which has $1 in their places.
  if ('query' in error && 'params' in error && 'cause' in error) {
    return cutSecrets(`Failed query: ${typeof error.query === 'string' ? error.query : ''}`);
  }
  // PostgreSQL's class 22, "data exception", quotes the value that it could not read; other classes quote names.
  if ('code' in error && typeof error.code === 'string' && /^22...$/.test(error.code)) {
    return cutSecrets(message.replace(/["'].*/s, '…'));
  }
  return cutSecrets(message);
}

/** The text without what looks like a credential, wherever it came from. */
export function cutSecrets(text: string): string {
  return text
    .slice(0, maxMessageLength)
    .replace(/(?<=:\/\/)[^\s/@"']*@/g, `${cut}@`) // user and password of a URL
    .replace(/\beyJ[\w-]{5,}(?:\.[\w-]*){1,2}/g, cut) // a JSON web token
    .replace(/(?<=\bBearer[ .]|[?&]token=)[^\s&"']+/gi, cut);
}

export const cut = '[cut]';

function placesOf(stack: string): string {
  return stack
    .split('\n')
    .filter((line) => /^\s+at /.test(line))
    .join('\n');
}

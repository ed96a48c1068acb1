// What a value does not keep of its schema: field by field, in words that say what was expected. The same over HTTP and the socket.

import { type ValueError, ValueErrorType } from '@sinclair/typebox/errors';
import { AppError, type FieldError } from './errors.ts';

const maxErrors = 20;

/** At most 20, the first of each field. `root` comes before each path: `/body` makes `/body/name`. */
export function listFieldErrors(errors: Iterable<ValueError>, root: string): FieldError[] {
  const found = new Map<string, FieldError>();
  for (const { path, message } of explain(errors)) {
    if (!found.has(path)) found.set(path, { path: root + path, message });
    if (found.size >= maxErrors) break;
  }
  return [...found.values()];
}

/** The refusal of a request, or a frame, that does not fit; it names the first of them, and lists all. */
export function misfit(details: FieldError[], what: 'request' | 'frame' = 'request'): AppError {
  const [first] = details;
  const where = first === undefined ? '' : ` ${first.path}: ${first.message}`;
  return new AppError('invalid', `The ${what} does not fit.${where}`, { details });
}

type Complaint = Pick<ValueError, 'type' | 'path' | 'message'>;

function* explain(errors: Iterable<ValueError>): Generator<Complaint> {
  for (const error of errors) {
    if (error.type === ValueErrorType.Union) yield* explainUnion(error);
    else yield { type: error.type, path: error.path, message: toMessage(error) };
  }
}

/** A pattern says little to people: a schema that has one says in its description what it stands for. */
const toMessage = ({ type, schema, message }: ValueError): string =>
  type === ValueErrorType.StringPattern && schema.description !== undefined
    ? `Expected: ${schema.description}`
    : message;

/** What stands in the way of the variant that was meant; all that would do, where nothing says which one was. */
function* explainUnion({ path, errors }: ValueError): Generator<Complaint> {
  const variants = errors.map((ofVariant) => firstComplaints(ofVariant));
  const choice = variants.map((complaints) =>
    complaints.find(({ type, path: at }) => at === path || type === ValueErrorType.Literal),
  );
  const [first] = choice;
  if (first !== undefined && choice.every((complaint) => complaint?.path === first.path)) {
    yield { ...first, message: joinExpected(choice.flatMap((complaint) => complaint?.message ?? [])) };
    return;
  }
  const [meant = []] = variants.toSorted((one, other) => distance(one, path) - distance(other, path));
  yield* meant;
}

function firstComplaints(errors: Iterable<ValueError>): Complaint[] {
  const complaints: Complaint[] = [];
  const paths = new Set<string>();
  for (const complaint of explain(errors)) {
    complaints.push(complaint);
    if (paths.add(complaint.path).size >= maxErrors) break;
  }
  return complaints;
}

/** How unlikely it is that a variant was meant: by another kind of value or another tag, by a field too many, too few. */
function distance(complaints: readonly Complaint[], path: string): number {
  return complaints.reduce((sum, { type, path: at }) => {
    if (at === path || type === ValueErrorType.Literal) return sum + 1_000;
    const isOwnField = at.lastIndexOf('/') === path.length;
    if (isOwnField && type === ValueErrorType.ObjectAdditionalProperties) return sum + 2;
    if (isOwnField && type === ValueErrorType.ObjectRequiredProperty) return sum + 1;
    return sum;
  }, 0);
}

const expected = 'Expected ';

/** `Expected 'group' or 'direct'`. */
const joinExpected = (messages: readonly string[]): string =>
  expected + [...new Set(messages.map((message) => message.replace(expected, '')))].join(' or ');

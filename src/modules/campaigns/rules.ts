// The rules of campaigns, pure: what variables are like and what fits them, and how far world time goes.

import { AppError, type FieldError } from '../../protocol/errors.ts';
import { toOrderedJson } from '../../protocol/json.ts';
import { readInstant } from '../../protocol/values.ts';
import {
  maxSchemasBytes,
  maxStepSeconds,
  maxVariables,
  maxVariablesBytes,
  type VariableSchema,
  type Variables,
  type VariableValue,
  type Varied,
  type WorldTimeChange,
} from './contract.ts';

const variableName = /^[A-Za-z_][A-Za-z0-9_]{0,63}$/;
/** Where a client keeps variables in a plain object, these would be something else already. */
const reserved = new Set(['__proto__', 'constructor', 'prototype']);

/** What is wrong with them whatever else is there, by its path in the input. */
export function findMalformed({ variables = {}, variableSchemas = [] }: Varied): FieldError[] {
  const names = Object.keys(variables);
  const tooMany =
    names.length > maxVariables
      ? [{ path: '/variables', message: `Expected at most ${maxVariables} variables` }]
      : [];
  const misnamed = names
    .filter((name) => !isName(name))
    .map((name) => ({ path: `/variables/${escapePointer(name)}`, message: nameExpected }));
  const wrongSchemas = variableSchemas.flatMap((schema, index) => {
    const isAgain = variableSchemas.findIndex(({ name }) => name === schema.name) < index;
    const again = isAgain ? [{ path: '/name', message: 'Expected a name that no other schema has' }] : [];
    const inside = [...(isName(schema.name) ? again : [{ path: '/name', message: nameExpected }])];
    return [...inside, ...findContradictions(schema)].map(({ path, message }) => ({
      path: `/variableSchemas/${index}${path}`,
      message,
    }));
  });
  return [...tooMany, ...misnamed, ...wrongSchemas];
}

/** Throws `invalid` for what is malformed: before anything is read. */
export function checkVaried(given: Varied): void {
  const fields = findMalformed(given);
  if (fields.length > 0) throw invalidVariables(fields);
}

/** Throws `conflict` for what is too large together, and `invalid` for variables that do not fit their schemas. */
export function requireFit(varied: Required<Varied>): void {
  requireSize('variables', varied.variables ?? {}, maxVariablesBytes);
  requireSize('variable schemas', varied.variableSchemas ?? [], maxSchemasBytes);
  const fields = findMisfits(varied.variables ?? {}, varied.variableSchemas ?? []);
  if (fields.length > 0) throw invalidVariables(fields);
}

/** Which variables have no schema of their name, or do not fit it. */
export function findMisfits(variables: Variables, schemas: readonly VariableSchema[]): FieldError[] {
  const byName = new Map(schemas.map((schema) => [schema.name, schema]));
  return Object.entries(variables).flatMap(([name, value]) => {
    const schema = byName.get(name);
    const message = schema === undefined ? 'Expected a schema of this name' : explainMisfit(value, schema);
    return message === undefined ? [] : [{ path: `/variables/${escapePointer(name)}`, message }];
  });
}

/** The names of those that came, went or have another value, in order. */
export function findChanged(before: Variables, after: Variables): string[] {
  const [old, present] = [new Map(Object.entries(before)), new Map(Object.entries(after))];
  const names = new Set([...old.keys(), ...present.keys()]);
  return [...names].filter((name) => !isSame(old.get(name), present.get(name))).sort();
}

/** As JSON, whatever the order of the fields: the database has one of its own. */
export function isSame(one: unknown, other: unknown): boolean {
  if (one === undefined || other === undefined) return one === other; // as JSON both are null
  return toOrderedJson(one) === toOrderedJson(other);
}

/** Where a step leads from the present; throws `conflict` for one back, too far, or out of the years. */
export function advance(
  present: string,
  step: { readonly seconds: number } | { readonly to: Date },
): WorldTimeChange {
  const from = Date.parse(present);
  const to = 'to' in step ? step.to.getTime() : from + step.seconds * 1_000;
  const elapsedSeconds = (to - from) / 1_000;
  if (elapsedSeconds < 1) {
    throw new AppError(
      'conflict',
      `World time goes forward only, by 1 second or more: it is ${present} already.`,
    );
  }
  if (elapsedSeconds > maxStepSeconds) {
    throw new AppError(
      'conflict',
      `World time goes at most ${maxStepSeconds} seconds (100 years) a step. It is ${present}.`,
    );
  }
  if (to > endOfTime) {
    throw new AppError('conflict', `World time ends with the year 9999. It is ${present}.`);
  }
  return { previous: present, current: new Date(to).toISOString(), elapsedSeconds };
}

/** Throws `invalid` for a text that is no instant of the years 0001 to 9999. */
export function requireInstant(text: string, path: string): Date {
  const instant = readInstant(text);
  if (instant !== undefined) return instant;
  const message = 'Expected an instant in the years 0001 to 9999: ISO 8601 in UTC';
  throw new AppError('invalid', 'World time must be an instant in the years 0001 to 9999.', {
    fields: [{ path, message }],
  });
}

const endOfTime = Date.UTC(9999, 11, 31, 23, 59, 59, 999);

const nameExpected = 'Expected a letter or _, then up to 63 letters, digits and _; not a reserved name';

const isName = (name: string): boolean => variableName.test(name) && !reserved.has(name);

/** As JSON pointers spell a name. */
const escapePointer = (name: string): string => name.replaceAll('~', '~0').replaceAll('/', '~1');

function findContradictions(schema: VariableSchema): FieldError[] {
  if (schema.type === 'number') {
    const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = schema;
    return min > max ? [{ path: '/max', message: 'Expected no less than min' }] : [];
  }
  if (schema.type !== 'enum' || new Set(schema.options).size === schema.options.length) return [];
  return [{ path: '/options', message: 'Expected each option once' }];
}

function explainMisfit(value: VariableValue, schema: VariableSchema): string | undefined {
  switch (schema.type) {
    case 'string':
    case 'boolean':
      return isA(value, schema.type);
    case 'number': {
      const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = schema;
      if (typeof value !== 'number') return isA(value, 'number');
      if (value < min) return `Expected at least ${min}`;
      return value > max ? `Expected at most ${max}` : undefined;
    }
    case 'enum':
      return typeof value === 'string' && schema.options.includes(value)
        ? undefined
        : `Expected one of ${schema.options.map((option) => `"${option}"`).join(', ')}`;
  }
}

const isA = (value: VariableValue, type: 'string' | 'number' | 'boolean'): string | undefined =>
  typeof value === type ? undefined : `Expected a ${type}`;

function requireSize(what: string, value: object, maxBytes: number): void {
  const bytes = new TextEncoder().encode(JSON.stringify(value)).length;
  if (bytes <= maxBytes) return;
  throw new AppError(
    'conflict',
    `The ${what} of one entity have at most ${maxBytes} bytes together as JSON; these have ${bytes}.`,
  );
}

const invalidVariables = (fields: FieldError[]) =>
  new AppError('invalid', 'The variables must fit their schemas. See details.', { fields });

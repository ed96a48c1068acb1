// What changed between two JSON Schemas of one thing, and whom it breaks. What a client sends may be taken more freely than
// before, and what it is answered may say more: anything else breaks somebody. Bounds of what is answered are not looked at.

import type { JsonSchema } from '../named-schemas.ts';

/** Breaking: a client that was right is wrong now. Warning: one that switches on all values may be. Note: good to know. */
export type Level = 'breaking' | 'warning' | 'note';

export interface Change {
  readonly level: Level;
  /** `POST /v1/chats, body /name`. */
  readonly where: string;
  /** What is otherwise, as the end of a sentence. */
  readonly what: string;
}

export type Schemas = Readonly<Record<string, JsonSchema>>;

export interface Comparison {
  /** What the client sends, or what it is sent. */
  readonly direction: 'input' | 'output';
  /** The components of both documents, which references name. */
  readonly before: Schemas;
  readonly after: Schemas;
  /** Shapes that were compared already: each is told of once. */
  readonly seen: Set<string>;
}

/** `place` and `path` say where the schemas stand: `POST /v1/chats, body` and `/name`. */
export function compareSchemas(
  comparison: Comparison,
  before: JsonSchema,
  after: JsonSchema,
  place: string,
  path = '',
): Change[] {
  const { direction, seen } = comparison;
  const [name, newName] = [nameOf(before), nameOf(after)];
  if (name !== undefined && newName !== undefined) {
    const key = `${direction} ${name} ${newName}`;
    if (seen.has(key)) return [];
    seen.add(key);
    if (name === newName) [place, path] = [`${name} (as in ${originOf(place, path)})`, ''];
  }
  const where = path === '' ? place : `${place} ${path}`;
  const shared = listShared(before, after);
  const changes = shared.flatMap((part) => compareSchemas(comparison, part, part, place, path));
  const olds = groupByType(
    listVariants(resolve(leaveOut(before, shared), comparison.before), comparison.before),
  );
  const news = groupByType(
    listVariants(resolve(leaveOut(after, shared), comparison.after), comparison.after),
  );
  changes.push(...compareTypes(direction, [...olds.keys()], [...news.keys()], where));
  for (const [type, variants] of olds) {
    const others = news.get(type) ?? (type === 'integer' ? news.get('number') : undefined);
    if (others !== undefined) changes.push(...compareVariants(comparison, variants, others, place, path));
  }
  return changes;
}

/** Of a shape within a shape, where the outer one was met. */
const originOf = (place: string, path: string): string =>
  / [(]as in (.+)[)]$/.exec(place)?.[1] ?? `${place}${path && ` ${path}`}`;

/** The named parts that both are made of: they are told of under their names. */
function listShared(before: JsonSchema, after: JsonSchema): JsonSchema[] {
  const names = new Set(partsOf(after).map(nameOf));
  return partsOf(before).filter((part) => nameOf(part) !== undefined && names.has(nameOf(part)));
}

function leaveOut(schema: JsonSchema, shared: readonly JsonSchema[]): JsonSchema {
  if (shared.length === 0) return schema;
  const names = new Set(shared.map(nameOf));
  return { ...schema, allOf: partsOf(schema).filter((part) => !names.has(nameOf(part))) };
}

const partsOf = ({ allOf }: JsonSchema): readonly JsonSchema[] => (Array.isArray(allOf) ? allOf : []);

/** The types that each may be: `any` stands for all. */
function compareTypes(
  direction: Comparison['direction'],
  before: readonly string[],
  after: readonly string[],
  where: string,
): Change[] {
  const isIn = (type: string, types: readonly string[]) =>
    types.includes(type) || types.includes('any') || (type === 'integer' && types.includes('number'));
  const wrong =
    direction === 'input'
      ? before.filter((type) => !isIn(type, after))
      : after.filter((type) => !isIn(type, before));
  if (wrong.length === 0) return [];
  const said = `was ${before.join(' or ')}, and is ${after.join(' or ')} now`;
  return [{ level: 'breaking', where, what: `its type ${said}` }];
}

/** Variants of one type: alike ones belong together, and of the others the first to the first. */
function compareVariants(
  comparison: Comparison,
  olds: readonly JsonSchema[],
  news: readonly JsonSchema[],
  place: string,
  path: string,
): Change[] {
  const where = path === '' ? place : `${place} ${path}`;
  const [values, newValues] = [listValues(olds), listValues(news)];
  const changes = compareValues(comparison.direction, values, newValues, where);
  if (values !== undefined) return changes;
  for (const [old, other] of pairUp(olds, news)) {
    const shape = old[shapeKey];
    if (typeof shape === 'string' && shape === other[shapeKey]) {
      const named = { $ref: shape };
      changes.push(...compareSchemas(comparison, named, named, place, path));
      continue;
    }
    changes.push(...compareBounds(comparison.direction, old, other, where));
    changes.push(...compareParts(comparison, old, other, place, path));
  }
  if (comparison.direction === 'input' && olds.length > news.length)
    changes.push({ level: 'breaking', where, what: 'one of its forms is gone' });
  if (comparison.direction === 'output' && olds.length < news.length)
    changes.push({ level: 'warning', where, what: 'it has a new form' });
  return changes;
}

/** Those of one name belong together, then those that are the same; what has no counterpart is left out. */
function pairUp(
  olds: readonly JsonSchema[],
  news: readonly JsonSchema[],
): (readonly [JsonSchema, JsonSchema])[] {
  const isSame = (old: JsonSchema) => (other: JsonSchema) =>
    old[shapeKey] === undefined ? Bun.deepEquals(old, other) : old[shapeKey] === other[shapeKey];
  const rest = news.filter((other) => !olds.some(isSame(other)));
  return olds.flatMap((old) => {
    const other = news.find(isSame(old)) ?? rest.shift();
    return other === undefined ? [] : [[old, other] as const];
  });
}

/** `undefined`: any value of the type. */
function compareValues(
  direction: Comparison['direction'],
  before: readonly string[] | undefined,
  after: readonly string[] | undefined,
  where: string,
): Change[] {
  if (direction === 'input') {
    if (after === undefined) return [];
    if (before === undefined)
      return [{ level: 'breaking', where, what: `takes only ${after.join(', ')} now` }];
    const gone = before.filter((value) => !after.includes(value));
    return gone.map((value) => ({ level: 'breaking', where, what: `takes ${value} no longer` }));
  }
  if (before === undefined) return [];
  if (after === undefined) return [{ level: 'warning', where, what: 'may have any value now' }];
  const added = after.filter((value) => !before.includes(value));
  return added.map((value) => ({ level: 'warning', where, what: `may be ${value} now` }));
}

const least = ['minLength', 'minimum', 'minItems', 'minProperties'];
const most = ['maxLength', 'maximum', 'maxItems', 'maxProperties'];

function compareBounds(
  direction: Comparison['direction'],
  before: JsonSchema,
  after: JsonSchema,
  where: string,
): Change[] {
  if (direction === 'output') return [];
  const changes: Change[] = [];
  const narrowed = (keyword: string): void => {
    const was = before[keyword] === undefined ? 'was not there' : `was ${before[keyword]}`;
    changes.push({ level: 'breaking', where, what: `its ${keyword} ${was}, and is ${after[keyword]} now` });
  };
  for (const keyword of least) {
    if (Number(after[keyword] ?? Number.NEGATIVE_INFINITY) > Number(before[keyword] ?? unset(keyword)))
      narrowed(keyword);
  }
  for (const keyword of most) {
    if (
      Number(after[keyword] ?? Number.POSITIVE_INFINITY) < Number(before[keyword] ?? Number.POSITIVE_INFINITY)
    )
      narrowed(keyword);
  }
  if (after.pattern !== undefined && after.pattern !== before.pattern)
    changes.push({ level: 'breaking', where, what: 'its pattern is another one' });
  if (after.uniqueItems === true && before.uniqueItems !== true)
    changes.push({ level: 'breaking', where, what: 'takes no item twice now' });
  return changes;
}

/** A length of at least 0 says nothing. */
const unset = (keyword: string): number => (keyword === 'minimum' ? Number.NEGATIVE_INFINITY : 0);

function compareParts(
  comparison: Comparison,
  before: JsonSchema,
  after: JsonSchema,
  place: string,
  path: string,
): Change[] {
  const inside = (old: unknown, other: unknown, at: string): Change[] =>
    isSchema(old) && isSchema(other) ? compareSchemas(comparison, old, other, place, path + at) : [];
  return [
    ...inside(before.items, after.items, '[]'),
    ...inside(before.additionalProperties, after.additionalProperties, '/*'),
    ...compareFields(comparison.direction, before, after, place, path),
    ...Object.entries(before.properties ?? {}).flatMap(([name, old]) =>
      inside(old, after.properties?.[name], `/${name}`),
    ),
  ];
}

function compareFields(
  direction: Comparison['direction'],
  before: JsonSchema,
  after: JsonSchema,
  place: string,
  path: string,
): Change[] {
  const changes: Change[] = [];
  const breaks = (name: string, what: string): void => {
    changes.push({ level: 'breaking', where: `${place} ${path}/${name}`, what });
  };
  const [fields, newFields] = [before.properties ?? {}, after.properties ?? {}];
  const [required, newRequired] = [requiredOf(before), requiredOf(after)];
  for (const name of Object.keys(fields)) {
    if (!(name in newFields)) breaks(name, 'is gone');
    else if (direction === 'output' && required.has(name) && !newRequired.has(name))
      breaks(name, 'may be missing now');
  }
  if (direction === 'output') return changes;
  for (const name of newRequired) {
    if (!required.has(name)) breaks(name, name in fields ? 'is required now' : 'is new, and required');
  }
  if (after.additionalProperties === false && before.additionalProperties !== false)
    changes.push({ level: 'breaking', where: `${place} ${path}`.trim(), what: 'takes no other fields now' });
  return changes;
}

const requiredOf = ({ required }: JsonSchema): ReadonlySet<string> =>
  new Set(Array.isArray(required) ? required : []);

/** Says of a variant which reference it was. */
const shapeKey = 'x-shape';

const resolve = (schema: JsonSchema, schemas: Schemas): JsonSchema => {
  const name = nameOf(schema);
  return name === undefined ? schema : (schemas[name] ?? {});
};

/** The choices that a schema is, references in it followed; one of several parts is their sum. */
function listVariants(schema: JsonSchema, schemas: Schemas): JsonSchema[] {
  const shape = nameOf(schema);
  if (shape !== undefined) {
    const variants = listVariants(resolve(schema, schemas), schemas);
    return variants.length === 1 ? variants.map((variant) => ({ ...variant, [shapeKey]: shape })) : variants;
  }
  const { anyOf, oneOf, allOf } = schema;
  const choices = anyOf ?? oneOf;
  if (Array.isArray(choices)) return choices.flatMap((choice) => listVariants(choice, schemas));
  if (!Array.isArray(allOf)) return [schema];
  const parts: JsonSchema[] = allOf.flatMap((part) => listVariants(part, schemas));
  const required = parts.flatMap((part) => [...requiredOf(part)]);
  return [
    { type: 'object', required, properties: Object.assign({}, ...parts.map((part) => part.properties)) },
  ];
}

const groupByType = (variants: readonly JsonSchema[]): Map<string, JsonSchema[]> =>
  Map.groupBy(variants, ({ type }) => (typeof type === 'string' ? type : 'any'));

/** As JSON; undefined where one of the variants is not a list of values. */
function listValues(variants: readonly JsonSchema[]): string[] | undefined {
  const lists = variants.map((schema) => {
    if ('const' in schema) return [JSON.stringify(schema.const)];
    return Array.isArray(schema.enum) ? schema.enum.map((value) => JSON.stringify(value)) : undefined;
  });
  return lists.includes(undefined) ? undefined : lists.flatMap((values) => values ?? []);
}

const nameOf = ({ $ref }: JsonSchema): string | undefined =>
  typeof $ref === 'string' ? $ref.split('/').at(-1) : undefined;

const isSchema = (value: unknown): value is JsonSchema => typeof value === 'object' && value !== null;

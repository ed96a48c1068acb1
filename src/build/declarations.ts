// Writes the types of the client from what a server declares: every command, kind of topic and event
// as plain TypeScript, so that whoever uses the client needs neither the server nor its schemas. A test compares them with
// the declarations themselves.

import { ClientFrame, SubscribeRequest } from '../protocol/envelope.ts';
import { WireError } from '../protocol/errors.ts';
import type { Declared, DeclaredCommand } from './declared.ts';

/** As much of JSON Schema as the declarations use. */
interface Schema {
  readonly $ref?: string;
  readonly type?: string;
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema | readonly Schema[];
  readonly patternProperties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: boolean | Schema;
}

const head = `// Written by \`bun run types:client\` from what the server declares: change that, and run it again. Types alone, and the names of
// what may be sent twice. As long as what it lists.

import type { EventPosition } from '../protocol/frames.ts';
`;

/** The text of \`src/client/declarations.ts\`, not yet formatted. */
export function writeDeclarations({ commands, topics, events, shapes: declared }: Declared): string {
  const wire = { ClientFrame, SubscribeRequest, WireError };
  const shapes = Object.entries({ ...wire, ...declared } as Record<string, Schema>); // JSON Schema
  const namesOf = (chosen: readonly { readonly type: string }[]): string =>
    `new Set(${quote(chosen.map(({ type }) => type).join(' '))}.split(' '))`;
  return [
    head,
    ...shapes.sort(byName).map(([name, schema]) => defineShape(name, schema)),
    '/** No fields. */',
    'export type Nothing = Record<string, never>;',
    '/** Beside the output of what changes something: where its events stand. [O3] */',
    'export interface Written { events: EventPosition[] }',
    '/** By the type of the frame. */',
    `export interface Commands {${commands.map(describeCommand).join('')}}`,
    '/** The kinds of topic: what they are called, the state that a snapshot holds, and what happens on them. */',
    `export interface Kinds {${topics.map((topic) => describeKind(topic, events)).join('')}}`,
    '/** The kind that a topic of this name is of. */',
    `export type KindOf<Name extends string> = ${mostSpecificFirst(topics)
      .map(({ kind, name }) => `Name extends ${patternOf(name)} ? ${quote(kind)} :`)
      .join(' ')} never;`,
    '/** Those that take a key: sent again with it, they take effect once. [K1] */',
    `export const keyedCommands: ReadonlySet<string> = ${namesOf(commands.filter(({ takesKey }) => takesKey))};`,
    '/** Those that only read, so that they may be sent again without one. */',
    `export const harmlessCommands: ReadonlySet<string> = ${namesOf(commands.filter(isHarmless))};`,
    '',
  ].join('\n');
}

function defineShape(name: string, schema: Schema): string {
  const isObject = schema.type === 'object' && schema.properties !== undefined;
  return isObject ? `export interface ${name} ${typeOf(schema)}` : `export type ${name} = ${typeOf(schema)};`;
}

/** What acts on the connection is of no use on the next one. */
const ofConnection = ['auth', 'ping', 'subscribe', 'unsubscribe'];

/** What answers nothing announces something, and that is not so any more when it is sent again. */
const isHarmless = ({ writes, takesKey, type, reply }: DeclaredCommand): boolean =>
  writes === false && !takesKey && reply !== undefined && !ofConnection.includes(type);

function describeCommand({ type, takesTopic, takesKey, payload, reply, writes }: DeclaredCommand) {
  return `${quote(type)}: {
    payload: ${typeOf(payload)};
    output: ${outputOf(reply && typeOf(reply), writes)};
    takesTopic: ${takesTopic};
    takesKey: ${takesKey};
  };`;
}

/** What the `ok` holds. [O3] */
function outputOf(reply: string | undefined, writes: boolean | 'sometimes'): string {
  if (reply === undefined)
    return { true: 'Written', false: 'undefined', sometimes: 'Written | undefined' }[`${writes}`];
  return { true: `(${reply}) & Written`, false: reply, sometimes: `(${reply}) & Partial<Written>` }[
    `${writes}`
  ];
}

function describeKind(
  { kind, name, snapshot }: Declared['topics'][number],
  events: Declared['events'],
): string {
  const own = events.filter(({ on }) => on.includes(kind));
  const listed = own.map(({ type, payload }) => `${quote(type)}: ${typeOf(payload)};`).join('');
  // On topics whose kind declares nothing of its own, anything may be published.
  const anything = kind === 'app' ? '[type: string]: unknown;' : '';
  return `${quote(kind)}: {
    name: ${patternOf(name)};
    state: ${snapshot === undefined ? 'undefined' : typeOf(snapshot)};
    events: {${anything}${listed}};
  };`;
}

const mostSpecificFirst = (topics: Declared['topics']) =>
  topics.toSorted((one, other) => other.name.length - one.name.length);

/** `user:<id>:jobs` as a template literal. */
const patternOf = (name: string): string =>
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is written into a template
  name.includes('<') ? `\`${name.replace(/<\w+>/, '${string}')}\`` : quote(name);

const byName = ([one]: readonly [string, unknown], [other]: readonly [string, unknown]): number =>
  one < other ? -1 : 1;

function typeOf(given: object): string {
  const schema = given as Schema; // JSON Schema, all of it
  if (schema.$ref !== undefined) return schema.$ref.replace(/^.*\//, '');
  if ('const' in schema) return JSON.stringify(schema.const);
  const choices = schema.enum?.map((value) => JSON.stringify(value)) ?? schema.anyOf?.map(typeOf);
  if (choices !== undefined) return [...new Set(choices)].join(' | ');
  switch (schema.type) {
    case undefined:
      return 'unknown';
    case 'integer':
      return 'number';
    case 'array':
      return isTuple(schema.items)
        ? `[${schema.items.map(typeOf).join(', ')}]`
        : `(${typeOf(schema.items ?? {})})[]`;
    case 'object':
      return objectOf(schema);
    default:
      return schema.type; // null, boolean, number, string
  }
}

const isTuple = (items: Schema['items']): items is readonly Schema[] => Array.isArray(items);

function objectOf({ properties, required = [], additionalProperties, patternProperties }: Schema): string {
  const [values = typeof additionalProperties === 'object' ? additionalProperties : undefined] =
    Object.values(patternProperties ?? {});
  if (values !== undefined) return `Record<string, ${typeOf(values)}>`;
  const fields = Object.entries(properties ?? {});
  if (fields.length === 0) return additionalProperties === false ? 'Nothing' : 'object';
  return `{${fields
    .map(([name, schema]) => `${quote(name)}${required.includes(name) ? '' : '?'}: ${typeOf(schema)};`)
    .join('')}}`;
}

const quote = (text: string): string => `'${text}'`;

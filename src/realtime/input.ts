// An operation's input comes in parts: path parameters, an envelope's topic, and the rest. Each part is checked by its own
// share of the schema.

import { type TObject, type TSchema, Type } from '@sinclair/typebox';

/** The schema without these fields. Only objects have fields: of any other schema nothing can be left out. */
export function without(schema: TSchema, fields: readonly string[]): TSchema {
  return fields.length === 0 ? schema : pick(schema, (name) => !fields.includes(name), fields);
}

/** These fields alone, all of them required. */
export function only(schema: TSchema, fields: readonly string[]): TObject {
  return Type.Required(pick(schema, (name) => fields.includes(name), fields));
}

function pick(schema: TSchema, isWanted: (name: string) => boolean, fields: readonly string[]): TObject {
  const unknown = fields.filter((name) => schema.properties?.[name] === undefined);
  if (unknown.length > 0) throw new Error(`The input has no field ${unknown.join(', ')}.`);
  const { properties, additionalProperties, minProperties, examples } = schema as TObject; // only objects have properties
  const wanted = Object.entries(properties)
    .filter(([name]) => isWanted(name))
    .sort(([a], [b]) => fields.indexOf(a) - fields.indexOf(b)); // as the path has them
  const elsewhere = Object.keys(properties).length - wanted.length;
  return Type.Object(Object.fromEntries(wanted), {
    additionalProperties,
    ...(Array.isArray(examples) && { examples: examples.map((example) => keep(example, isWanted)) }),
    ...(minProperties !== undefined && { minProperties: Math.max(0, minProperties - elsewhere) }),
  });
}

const keep = (example: object, isWanted: (name: string) => boolean): object =>
  Object.fromEntries(Object.entries(example).filter(([name]) => isWanted(name)));

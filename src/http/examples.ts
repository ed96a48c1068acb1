// An example for each schema, so that a request can be tried as the documents show it. What a contract gives as
// `examples` comes first; the rest follows from the schema. A test executes them all.

import { exampleId } from '../protocol/values.ts';
import type { JsonSchema } from './named-schemas.ts';

/** Of an object: what is required. */
export function exampleOf(schema: JsonSchema): unknown {
  const { examples, anyOf, allOf, format = schema['x-format'], type, properties = {} } = schema;
  if (Array.isArray(examples)) return examples[0];
  if ('const' in schema) return schema.const;
  if (Array.isArray(anyOf)) return exampleOf(anyOf[0]);
  if (Array.isArray(allOf)) return Object.assign({}, ...allOf.map(exampleOf)); // parts of one object
  if (format === 'uuid') return exampleId;
  switch (type) {
    case 'object': {
      const required = (schema.required ?? []) as readonly string[]; // of an object schema
      const wanted = Object.entries(properties).filter(([name]) => required.includes(name));
      return Object.fromEntries(wanted.map(([name, inner]) => [name, exampleOf(inner)]));
    }
    case 'array':
      return Array.from(
        { length: Number(schema.minItems ?? 0) },
        () => exampleOf(schema.items as JsonSchema), // of an array schema
      );
    case 'integer':
    case 'number':
      return schema.default ?? schema.minimum ?? 1;
    case 'null':
      return null;
    case 'boolean':
      return true;
    default:
      return 'text';
  }
}

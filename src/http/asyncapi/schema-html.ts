// A JSON Schema as a reader wants it: the fields of an object as a table, everything else as a few words.

import type { JsonSchema } from '../named-schemas.ts';
import { type Html, html, sentence } from './html.ts';

/** The fields of an object with what is in them; of anything else, what it is. */
export function renderSchema(schema: JsonSchema, caption: string): Html {
  const { properties, allOf, anyOf } = schema;
  if (Array.isArray(allOf)) return html`${allOf.map((part: JsonSchema) => renderSchema(part, caption))}`;
  if (Array.isArray(anyOf) && anyOf.some(hasFields))
    return html`${anyOf.map((variant: JsonSchema, index) => html`${index > 0 && html`<p>or</p>`}${renderSchema(variant, caption)}`)}`;
  if (properties === undefined || Object.keys(properties).length === 0)
    return html`<p>${caption}: ${renderType(schema)}.${describe(schema)}</p>`;
  return html`<table>
<caption>${caption}${schema.description && html`. ${sentence(schema.description)}`}</caption>
<thead><tr><th scope="col">field</th><th scope="col">type</th><th scope="col">about</th></tr></thead>
<tbody>${listRows(schema, '')}</tbody>
</table>
`;
}

/** A row for each field, and for the fields inside. */
function listRows(schema: JsonSchema, path: string): Html[] {
  const required = new Set((schema.required ?? []) as readonly string[]); // of an object
  return Object.entries(schema.properties ?? {}).flatMap(([name, inner]) => {
    const below = findInner(inner);
    const isList = inner.type === 'array';
    const row = html`<tr><th scope="row"><code>${path}${name}</code>${!required.has(name) && html` <small>optional</small>`}</th>
<td>${renderType(inner)}</td><td>${describe(inner)}${describeBounds(inner)}</td></tr>
`;
    return [row, ...(below ? listRows(below, `${path}${name}${isList ? '[]' : ''}.`) : [])];
  });
}

/** The object that a field is, or a list of which it is. */
function findInner(schema: JsonSchema): JsonSchema | undefined {
  const { type, items, properties, anyOf } = schema;
  if (properties !== undefined) return schema;
  if (type === 'array') return findInner(items as JsonSchema); // of a list
  return Array.isArray(anyOf) ? anyOf.map(findInner).find(Boolean) : undefined;
}

/** In words: `text`, `list of Message`, `text or null`. */
function renderType(schema: JsonSchema): Html {
  const { $ref, anyOf, allOf, oneOf, type, items, format, additionalProperties } = schema;
  if (typeof $ref === 'string') return linkTo($ref.split('/').at(-1) ?? '');
  const variants = anyOf ?? oneOf ?? allOf;
  if (Array.isArray(variants)) {
    const word = allOf === undefined ? ' or ' : ' and ';
    return html`${variants.map((variant: JsonSchema, index) => html`${index > 0 && word}${renderType(variant)}`)}`;
  }
  if ('const' in schema) return html`<code>${JSON.stringify(schema.const)}</code>`;
  if (Array.isArray(schema.enum))
    return html`${schema.enum.map((value, index) => html`${index > 0 && ', '}<code>${String(value)}</code>`)}`;
  if (type === 'array') return html`list of ${renderType(items as JsonSchema)}`;
  if (type === 'object' && typeof additionalProperties === 'object')
    return html`map of ${renderType(additionalProperties as JsonSchema)}`;
  if (type === undefined) return html`any JSON`;
  return html`${typeof format === 'string' ? format : (words[String(type)] ?? String(type))}`;
}

const words: Readonly<Record<string, string>> = { string: 'text', boolean: 'true or false' };

/** Of a shape that has a name. */
export const linkTo = (name: string): Html => html`<a href="#shape-${name}">${name}</a>`;

const describe = ({ description }: JsonSchema): Html =>
  html`${description !== undefined && html`${sentence(description)} `}`;

/** `1 to 64 characters`, `at most 20`. */
function describeBounds(schema: JsonSchema): string {
  const { minLength, maxLength, minItems, maxItems, minimum, maximum } = schema;
  return [
    sayRange(minLength, maxLength, ' characters'),
    sayRange(minItems, maxItems, ' items'),
    sayRange(minimum, maximum, ''),
    'default' in schema ? `${JSON.stringify(schema.default)} where it is left out. ` : '',
  ].join('');
}

function sayRange(least: unknown, most: unknown, unit: string): string {
  if (least === undefined && (most === undefined || most === Number.MAX_SAFE_INTEGER)) return '';
  if (most === undefined || most === Number.MAX_SAFE_INTEGER) return `At least ${least}${unit}. `;
  return least === undefined ? `At most ${most}${unit}. ` : `${least} to ${most}${unit}. `;
}

const hasFields = (schema: JsonSchema): boolean => schema.properties !== undefined;

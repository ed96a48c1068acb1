// Shapes that have a title stand once in a document, under their name, and everywhere else as a reference to it.

export interface JsonSchema {
  title?: string;
  description?: string;
  properties?: Readonly<Record<string, JsonSchema>>;
  [keyword: string]: unknown;
}

export const refTo = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

/**
 * The document with references in the place of titled schemas, which are collected in `named`. Throws where two shapes have
 * one name. `x-format` becomes `format`: what a pattern says to a validator, it says to a reader.
 */
export function hoist<Document>(document: Document, named: Map<string, JsonSchema>): Document {
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (value === null || typeof value !== 'object') return value;
    const walked: JsonSchema = Object.fromEntries(
      Object.entries(asReadersSay(value)).map(([key, inner]) => [
        key === 'x-format' ? 'format' : key,
        key === 'examples' || key === 'example' ? inner : walk(inner),
      ]),
    );
    if (typeof walked.title !== 'string' || !isSchema(walked)) return walked;
    const { title } = walked;
    const known = named.get(title);
    if (known === undefined) named.set(title, walked);
    else if (!Bun.deepEquals(known, walked)) throw new Error(`Two shapes are called ${title}.`);
    return refTo(title);
  };
  return walk(document) as Document; // of the same form: references are schemas too
}

/** What validators and the tools of readers spell in different ways: a choice of words, and a map. */
function asReadersSay(value: object): object {
  const { anyOf, patternProperties, ...rest } = value as JsonSchema; // keywords that are not there are undefined
  if (Array.isArray(anyOf) && anyOf.every((variant) => typeof variant.const === 'string')) {
    return { ...rest, type: 'string', enum: anyOf.map((variant) => variant.const) };
  }
  const [pattern, ...others] = Object.entries(patternProperties ?? {});
  if (pattern?.[0] === '^(.*)$' && others.length === 0) return { ...rest, additionalProperties: pattern[1] };
  return value;
}

const isSchema = (value: object): boolean =>
  ['type', 'anyOf', 'allOf', 'oneOf'].some((keyword) => keyword in value);

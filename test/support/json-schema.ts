// Reads the schemas that our documents show, as a client's tools would: whether a value fits, and values to try. Only the
// keywords that the documents have; an unknown one is an error, so that none is passed over.

import fc from 'fast-check';

export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

export type Schemas = Readonly<Record<string, JsonSchema>>;

const silent = new Set(['title', 'description', 'examples', 'example', 'format', 'default']);

/** What in the value does not fit: `/path keyword`. `schemas`: the components that `$ref` names. */
export function listMisfits(schema: JsonSchema, value: unknown, schemas: Schemas, path = ''): string[] {
  const inside = (inner: unknown, part: unknown, at: string) =>
    listMisfits(inner as JsonSchema, part, schemas, path + at); // a keyword's inner schema
  const fits = (inner: unknown) => inside(inner, value, '').length === 0;
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
  const properties = (schema.properties ?? {}) as Schemas; // as JSON Schema has it
  const judge = (keyword: string, given: unknown): string[] | boolean => {
    switch (keyword) {
      case '$ref':
        return inside(schemas[String(given).split('/').at(-1) ?? ''] ?? { missing: given }, value, '');
      case 'type':
        return typesOf(value).includes(String(given));
      case 'const':
        return value === given;
      case 'enum':
        return (given as unknown[]).includes(value);
      case 'anyOf':
        return (given as unknown[]).some(fits);
      case 'oneOf':
        return (given as unknown[]).filter(fits).length === 1;
      case 'allOf':
        return (given as unknown[]).flatMap((inner) => inside(inner, value, ''));
      case 'required':
        return !isObject || (given as string[]).every((name) => Object.hasOwn(value, name));
      case 'properties':
        if (!isObject) return true;
        return Object.entries(value).flatMap(([name, part]) =>
          Object.hasOwn(properties, name) ? inside(properties[name], part, `/${name}`) : [],
        );
      case 'additionalProperties': {
        if (!isObject) return true;
        const others = Object.entries(value).filter(([name]) => !Object.hasOwn(properties, name));
        if (typeof given === 'boolean') return given || others.length === 0;
        return others.flatMap(([name, part]) => inside(given, part, `/${name}`));
      }
      case 'minProperties':
        return !isObject || Object.keys(value).length >= Number(given);
      case 'items':
        return !Array.isArray(value) || value.flatMap((part, n) => inside(given, part, `/${n}`));
      case 'minItems':
        return !Array.isArray(value) || value.length >= Number(given);
      case 'maxItems':
        return !Array.isArray(value) || value.length <= Number(given);
      case 'minLength':
        return typeof value !== 'string' || value.length >= Number(given);
      case 'maxLength':
        return typeof value !== 'string' || value.length <= Number(given);
      case 'pattern':
        return typeof value !== 'string' || new RegExp(String(given)).test(value);
      case 'minimum':
        return typeof value !== 'number' || value >= Number(given);
      case 'maximum':
        return typeof value !== 'number' || value <= Number(given);
      default:
        return silent.has(keyword);
    }
  };
  return Object.entries(schema).flatMap(([keyword, given]) => {
    const verdict = judge(keyword, given);
    if (typeof verdict !== 'boolean') return verdict;
    return verdict ? [] : [`${path} ${keyword}`];
  });
}

/** Fields that none of the schemas names, be they open: what a reader of the document would not expect. */
export function listUndocumented(
  schemas: readonly JsonSchema[],
  value: unknown,
  components: Schemas,
  path = '',
): string[] {
  if (typeof value !== 'object' || value === null) return [];
  const forms = schemas.flatMap((schema) => listForms(schema, components));
  // Where anything may stand, anything is documented.
  if (forms.some(({ type, additionalProperties }) => type === undefined || additionalProperties === true))
    return [];
  const inside = (parts: readonly unknown[], part: unknown, at: string) =>
    listUndocumented(parts as readonly JsonSchema[], part, components, path + at); // a keyword's inner schemas
  if (Array.isArray(value)) {
    const items = forms.flatMap(({ items }) => items ?? []);
    return value.flatMap((part, index) => inside(items, part, `/${index}`));
  }
  return Object.entries(value).flatMap(([name, part]) => {
    const known = forms.flatMap(({ properties = {}, additionalProperties }) => {
      const fields = properties as Schemas; // as JSON Schema has it
      return (Object.hasOwn(fields, name) ? fields[name] : additionalProperties || undefined) ?? [];
    });
    return known.length === 0 ? [`${path}/${name}`] : inside(known, part, `/${name}`);
  });
}

/** What a schema is made of, its choices and its parts alike. */
function listForms(schema: JsonSchema, components: Schemas): JsonSchema[] {
  const { $ref, anyOf, oneOf, allOf } = schema;
  if (typeof $ref === 'string') return listForms(components[$ref.split('/').at(-1) ?? ''] ?? {}, components);
  const inner = anyOf ?? oneOf ?? allOf;
  if (!Array.isArray(inner)) return [schema];
  return inner.flatMap((part) => listForms(part, components));
}

function typesOf(value: unknown): string[] {
  if (value === null) return ['null'];
  if (Array.isArray(value)) return ['array'];
  return Number.isInteger(value) ? ['integer', 'number'] : [typeof value];
}

/** Texts to try for a field of this name. */
export type Texts = (name: string) => fc.Arbitrary<string>;

/** Values of the schema's form, most of which fit. */
export function valuesOf(schema: JsonSchema, texts: Texts, field = ''): fc.Arbitrary<unknown> {
  const variants = (schema.anyOf ?? schema.oneOf) as readonly JsonSchema[] | undefined; // as JSON Schema has it
  if (variants) return fc.oneof(...variants.map((variant) => valuesOf(variant, texts, field)));
  if ('const' in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  switch (schema.type) {
    case 'object': {
      const properties = Object.entries((schema.properties ?? {}) as Schemas); // as JSON Schema has it
      const requiredKeys = (schema.required ?? []) as string[]; // as JSON Schema has it
      const fields: Record<string, fc.Arbitrary<unknown>> = Object.fromEntries(
        properties.map(([name, inner]) => [name, valuesOf(inner, texts, name)]),
      );
      return fc.record(fields, { requiredKeys });
    }
    case 'array': {
      const items = valuesOf(schema.items as JsonSchema, texts, field); // of an array
      const minLength = Number(schema.minItems ?? 0);
      return fc.array(items, { minLength, maxLength: minLength + 3 });
    }
    case 'integer':
      return fc.oneof(
        fc.constantFrom(schema.minimum ?? 0, schema.maximum ?? 1),
        fc.integer({ min: 0, max: 5 }),
      );
    case 'number':
      return fc.oneof(
        fc.constantFrom(schema.minimum ?? 0, schema.maximum ?? 1),
        fc.double({ min: 0, max: 5 }),
      );
    case 'boolean':
      return fc.boolean();
    case 'string': {
      const examples: readonly string[] = Array.isArray(schema.examples) ? schema.examples : [];
      const any = fc.string({ unit: 'binary', maxLength: 20 });
      return fc.oneof(
        { weight: 4, arbitrary: texts(field) },
        { weight: examples.length > 0 ? 6 : 0, arbitrary: fc.constantFrom('', ...examples) },
        { weight: 1, arbitrary: any },
      );
    }
    default:
      return fc.jsonValue({ maxDepth: 3 });
  }
}

// Mends what the generator writes: one content type, the refusals that every route shares, and named shapes, so that a
// generated client has the names that a person would have chosen.

import { type ErrorCode, errorCodes, errorTable } from '../protocol/errors.ts';
import { hoist, type JsonSchema, refTo } from './named-schemas.ts';
import { describeErrors } from './responses.ts';

export interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, RouteDescription>>;
  components: { schemas?: Record<string, JsonSchema> };
}

interface RouteDescription {
  parameters?: Parameter[];
  requestBody?: { content: Content };
  responses: Record<string, Answer>;
  security?: unknown[];
}

interface Parameter {
  schema: JsonSchema;
  description?: string;
  examples?: unknown;
}

interface Answer {
  description?: string;
  content?: Content;
  /** Of a refusal. */
  'x-codes'?: readonly ErrorCode[];
}

interface Content {
  'application/json'?: { schema: JsonSchema };
}

export function mendDocument(document: OpenApiDocument): OpenApiDocument {
  const named = new Map<string, JsonSchema>(errorCodes.map((code) => [nameOf(code), errorOf(code)]));
  const paths = mapValues(document.paths, (routes) => mapValues(routes, mendRoute));
  const hoisted = hoist(paths, named);
  return {
    ...document,
    openapi: '3.1.0', // TypeBox writes JSON Schema with const and null: 3.0 knows neither
    paths: hoisted,
    components: {
      ...document.components,
      schemas: { ...document.components.schemas, ...Object.fromEntries([...named].sort()) },
    },
  };
}

function mendRoute({ parameters = [], requestBody, ...route }: RouteDescription): RouteDescription {
  const shared: ErrorCode[] = ['internal', 'unavailable'];
  if (parameters.length > 0 || requestBody) shared.push('invalid');
  if (requestBody) shared.push('too_large');
  if (route.security?.length) shared.push('unauthorized');
  const mended: RouteDescription = {
    ...route,
    security: route.security ?? [],
    parameters: parameters.map(mendParameter),
    responses: {
      ...Object.fromEntries(shared.map((code) => [errorTable[code].status, refusal([code])])),
      ...mapValues(route.responses, mendAnswer),
    },
  };
  const content = onlyJson(requestBody?.content ?? {});
  // A body without fields may as well not be there.
  const fields = content['application/json']?.schema.properties;
  const isEmpty = fields !== undefined && Object.keys(fields).length === 0;
  if (requestBody && !isEmpty) mended.requestBody = { ...requestBody, content };
  return mended;
}

/** In a schema examples are a list, in a parameter they are not. */
function mendParameter({ examples, schema, description, ...parameter }: Parameter): Parameter {
  return {
    ...parameter,
    description: description ?? schema.description,
    schema: examples === undefined ? schema : { ...schema, examples },
  };
}

/** The generator leaves a schema's other keywords beside it: its name, and the parts that it is made of. */
function mendAnswer({ description = 'Done', content = {}, 'x-codes': codes, ...keywords }: Answer): Answer {
  if (codes !== undefined) return refusal(codes);
  const schema = content['application/json']?.schema;
  if (schema === undefined) return { description, content: {} };
  return { description, content: { 'application/json': { schema: { ...schema, ...keywords } } } };
}

function refusal(codes: readonly ErrorCode[]): Answer {
  const variants = codes.map((code) => refTo(nameOf(code)));
  const [only] = variants;
  const schema = variants.length === 1 && only !== undefined ? only : { oneOf: variants };
  return { description: describeErrors(codes), content: { 'application/json': { schema } } };
}

/** `NotFoundError`, for a client that switches on it. */
const nameOf = (code: ErrorCode): string =>
  `${code.replace(/(?:^|_)(\w)/g, (_, letter: string) => letter.toUpperCase())}Error`;

function errorOf(code: ErrorCode): JsonSchema {
  const error: Record<string, JsonSchema> = {
    code: { const: code, type: 'string' },
    message: { type: 'string', description: 'What was expected, and what to do' },
  };
  if (code === 'invalid') {
    const path = { type: 'string', description: 'A JSON pointer from the root of the request' };
    const field = {
      type: 'object',
      required: ['path', 'message'],
      properties: { path, message: { type: 'string' } },
    };
    error.details = { type: 'array', items: field };
  }
  if (code === 'conflict') error.details = { description: 'What is so now, where the message says so' };
  if (code === 'rate_limited' || code === 'unavailable') {
    error.retryAfterMs = { type: 'integer', minimum: 0, description: 'Not before, in milliseconds' };
  }
  const inner = { type: 'object', required: ['code', 'message'], properties: error };
  return { type: 'object', required: ['error'], properties: { error: inner }, title: nameOf(code) };
}

/** The generator offers forms and plain text as well; the parser refuses them. */
function onlyJson(content: Content): Content {
  const json = content['application/json'];
  return json === undefined ? {} : { 'application/json': json };
}

function mapValues<From, To>(
  record: Record<string, From>,
  map: (value: From, key: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}

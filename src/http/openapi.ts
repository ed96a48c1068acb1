// Mends what the generator writes: one content type, the refusals that every route shares, and named shapes, so that a
// generated client has the names that a person would have chosen.

import { type ErrorCode, errorCodes, errorTable } from '../protocol/errors.ts';
import { exampleOf } from './examples.ts';
import { hoist, type JsonSchema, refTo } from './named-schemas.ts';
import { describeErrors } from './responses.ts';

export interface OpenApiDocument {
  openapi: string;
  tags?: { name: string; description?: string }[];
  paths: Record<string, Record<string, RouteDescription>>;
  components: { schemas?: Record<string, JsonSchema> };
}

interface RouteDescription {
  tags?: string[];
  parameters?: Parameter[];
  requestBody?: { content: Content };
  responses: Record<string, Answer>;
  security?: unknown[];
}

export interface Parameter {
  name: string;
  in: string;
  required?: boolean;
  schema: JsonSchema;
  description?: string;
  examples?: unknown;
  example?: unknown;
}

interface Answer {
  description?: string;
  content?: Content;
  /** Of a refusal. */
  'x-codes'?: readonly ErrorCode[];
}

interface Content {
  'application/json'?: { schema: JsonSchema; example?: unknown };
}

/** `descriptions`: of the tags. */
export function mendDocument(
  document: OpenApiDocument,
  descriptions: Readonly<Record<string, string>>,
): OpenApiDocument {
  const paths = mapValues(document.paths, (routes) => mapValues(routes, mendRoute));
  const refusals = errorCodes.map((code) => [nameOf(code), errorOf(code)] as const);
  const answered = JSON.stringify(paths);
  const named = new Map<string, JsonSchema>();
  const hoisted = hoist(
    { paths, refusals: refusals.filter(([name]) => answered.includes(`/${name}"`)) },
    named,
  );
  const tags = new Set(
    Object.values(paths).flatMap((routes) => Object.values(routes).flatMap(({ tags }) => tags ?? [])),
  );
  return {
    ...document,
    openapi: '3.1.0', // TypeBox writes JSON Schema with const and null: 3.0 knows neither
    tags: [...tags].map((name) => ({ name, description: descriptions[name] ?? name })),
    paths: hoisted.paths,
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
  const schema = requestBody?.content['application/json']?.schema;
  // A body without fields may as well not be there.
  const isEmpty = schema?.properties !== undefined && Object.keys(schema.properties).length === 0;
  if (schema && !isEmpty) {
    // The generator offers forms and plain text as well; the parser refuses them.
    const content = { 'application/json': { schema, example: exampleOf(schema) } };
    mended.requestBody = { ...requestBody, content };
  }
  return mended;
}

/** In a schema examples are a list, in a parameter they are not. */
function mendParameter({ examples, schema, description, name, ...parameter }: Parameter): Parameter {
  const whole = examples === undefined ? schema : { ...schema, examples };
  return {
    ...parameter,
    name: parameter.in === 'header' ? headerName(name) : name,
    description: description ?? schema.description,
    // What may be left out is left out, so that a request can be tried as it stands.
    ...((parameter.required || examples !== undefined) && { example: exampleOf(whole) }),
    schema,
  };
}

const headerName = (name: string): string => name.replace(/\b\w/g, (letter) => letter.toUpperCase());

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
    const properties = { path, message: { type: 'string' } };
    error.details = {
      type: 'array',
      items: { title: 'FieldError', type: 'object', required: ['path', 'message'], properties },
      description: 'Each field that does not fit, where it is one of them',
    };
  }
  if (code === 'unauthorized') {
    const reason = { type: 'string', description: 'Such as logout, revoked, user_disabled or expired' };
    error.details = {
      type: 'object',
      required: ['reason'],
      properties: { reason },
      description: 'Why the session ended',
    };
  }
  if (code === 'rate_limited' || code === 'unavailable') {
    error.retryAfterMs = { type: 'integer', minimum: 0, description: 'Not before, in milliseconds' };
  }
  const inner = { type: 'object', required: ['code', 'message'], properties: error };
  return { type: 'object', required: ['error'], properties: { error: inner }, title: nameOf(code) };
}

function mapValues<From, To>(
  record: Record<string, From>,
  map: (value: From, key: string) => To,
): Record<string, To> {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, map(value, key)]));
}

// Mends what the generator writes: one content type, one schema for errors, and the refusals that every route shares.

import { type ErrorCode, errorTable } from '../protocol/errors.ts';
import { describeErrors, ErrorBody } from '../protocol/http.ts';

export interface OpenApiDocument {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas?: Record<string, object> };
}

interface Operation {
  parameters?: Parameter[];
  requestBody?: { content: Content };
  responses: Record<string, Answer>;
  security?: unknown[];
}

interface Parameter {
  schema: object;
  examples?: unknown;
}

interface Answer {
  description?: string;
  content?: Content;
}

interface Content {
  'application/json'?: { schema: JsonSchema };
}

interface JsonSchema {
  properties?: object;
  $ref?: string;
}

const errorSchema: JsonSchema = JSON.parse(JSON.stringify(ErrorBody));
const errorContent: Content = { 'application/json': { schema: { $ref: '#/components/schemas/Error' } } };

export function mendDocument(document: OpenApiDocument): OpenApiDocument {
  return {
    ...document,
    openapi: '3.1.0', // TypeBox writes JSON Schema with const and null: 3.0 knows neither
    paths: mapValues(document.paths, (operations) => mapValues(operations, mendOperation)),
    components: { ...document.components, schemas: { ...document.components.schemas, Error: errorSchema } },
  };
}

function mendOperation({ parameters = [], requestBody, ...operation }: Operation): Operation {
  const shared: ErrorCode[] = ['internal', 'unavailable'];
  if (parameters.length > 0 || requestBody) shared.push('invalid');
  if (requestBody) shared.push('too_large');
  if (operation.security) shared.push('unauthorized');
  const refusals = shared.map((code) => [
    errorTable[code].status,
    { description: describeErrors([code]), content: errorContent },
  ]);
  const mended: Operation = {
    ...operation,
    parameters: parameters.map(mendParameter),
    responses: { ...Object.fromEntries(refusals), ...mapValues(operation.responses, mendAnswer) },
  };
  const content = onlyJson(requestBody?.content ?? {});
  // A body without fields may as well not be there.
  const fields = content['application/json']?.schema.properties;
  const isEmpty = fields !== undefined && Object.keys(fields).length === 0;
  if (requestBody && !isEmpty) mended.requestBody = { ...requestBody, content };
  return mended;
}

/** In a schema examples are a list, in a parameter they are not. */
function mendParameter({ examples, schema, ...parameter }: Parameter): Parameter {
  return { ...parameter, schema: examples === undefined ? schema : { ...schema, examples } };
}

/** Everything else that stands in an answer belongs to its schema, where the generator repeats it. */
function mendAnswer({ description = 'Done', content = {} }: Answer): Answer {
  const schema = content['application/json']?.schema;
  const isError = Bun.deepEquals(schema?.properties, errorSchema.properties);
  return { description, content: isError ? errorContent : onlyJson(content) };
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

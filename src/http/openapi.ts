// Mends what the generator writes: one content type, one schema for errors, and the refusals that every route shares.

import { type ErrorCode, errorCodes, errorTable } from '../protocol/errors.ts';
import { ErrorBody } from '../protocol/http.ts';

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
const errorReference = { $ref: '#/components/schemas/Error' };

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
  const mended: Operation = {
    ...operation,
    parameters: parameters.map(mendParameter),
    responses: {
      ...Object.fromEntries(shared.map((code) => [errorTable[code].status, {}])),
      ...operation.responses,
    },
  };
  mended.responses = mapValues(mended.responses, mendAnswer);
  if (requestBody) mended.requestBody = { ...requestBody, content: onlyJson(requestBody.content) };
  return mended;
}

/** In a schema examples are a list, in a parameter they are not. */
function mendParameter({ examples, schema, ...parameter }: Parameter): Parameter {
  return { ...parameter, schema: examples === undefined ? schema : { ...schema, examples } };
}

/** Everything else that stands in an answer belongs to its schema, where the generator repeats it. */
function mendAnswer({ description, content }: Answer, status: string): Answer {
  const codes = errorCodes.filter((code) => errorTable[code].status === Number(status));
  const schema = content?.['application/json']?.schema;
  const isError = schema === undefined || Bun.deepEquals(schema.properties, errorSchema.properties);
  if (codes.length > 0 && isError) {
    return {
      description: `Error ${codes.map((code) => `\`${code}\``).join(', ')}`,
      content: { 'application/json': { schema: errorReference } },
    };
  }
  return { description: description ?? 'Done', content: onlyJson(content ?? {}) };
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

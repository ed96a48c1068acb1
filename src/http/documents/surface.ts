// What a document promises, in one form for OpenAPI and AsyncAPI: each thing with a name of its own, what it takes, what it
// answers or tells, and with what it refuses.

import type { AsyncApiDocument, Ref } from '../asyncapi/parts.ts';
import type { JsonSchema } from '../named-schemas.ts';
import type { OpenApiDocument } from '../openapi.ts';
import type { Schemas } from './schema-changes.ts';

export interface Surface {
  /** By name: `POST /v1/chats`, `command message.send`, `topics chat:<id>`, `event typing on chat`. */
  readonly promises: ReadonlyMap<string, Promised>;
  readonly schemas: Schemas;
}

export interface Promised {
  /** By what it is called in the promise: `body`, `query`. */
  readonly inputs: Readonly<Record<string, JsonSchema>>;
  readonly outputs: Readonly<Record<string, JsonSchema>>;
  readonly refuses: readonly string[];
  /** What breaks a client where it is otherwise: `needs a token`, `is durable`. */
  readonly facts: Readonly<Record<string, string | boolean>>;
}

export type Document = OpenApiDocument | AsyncApiDocument;

export const readSurface = (document: Document): Surface =>
  'openapi' in document ? readOpenApi(document) : readAsyncApi(document);

function readOpenApi({ paths, components }: OpenApiDocument): Surface {
  const schemas = components.schemas ?? {};
  const routes = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, route]): [string, Promised] => {
      const { parameters = [], requestBody, responses, security = [] } = route;
      const places = Map.groupBy(parameters, (parameter) => parameter.in);
      const answers = Object.entries(responses).map(
        ([status, { content }]) => [status, content?.['application/json']?.schema ?? {}] as const,
      );
      const success = answers.filter(([status]) => status < '300');
      return [
        `${method.toUpperCase()} ${path}`,
        {
          inputs: {
            ...Object.fromEntries([...places].map(([place, some]) => [place, toObject(some)])),
            body: requestBody?.content['application/json']?.schema ?? nothing,
          },
          outputs: Object.fromEntries(success.map(([, schema]) => ['answer', schema])),
          refuses: answers.filter(([status]) => status >= '400').flatMap(([, schema]) => listNames(schema)),
          facts: { 'needs a token': security.length > 0, status: success.map(([status]) => status).join() },
        },
      ];
    }),
  );
  const refusals = Object.keys(schemas).filter((name) => name.endsWith('Error'));
  const errors = refusals.map((name): [string, Promised] => [`refusal ${name}`, told(refTo(name))]);
  return { promises: new Map([...routes, ...errors]), schemas };
}

interface Parameter {
  readonly name: string;
  readonly required?: boolean;
  readonly schema: JsonSchema;
}

const toObject = (parameters: readonly Parameter[]): JsonSchema => ({
  type: 'object',
  required: parameters.filter(({ required }) => required).map(({ name }) => name),
  properties: Object.fromEntries(parameters.map(({ name, schema }) => [name, schema])),
});

/** A request without a body. */
const nothing: JsonSchema = { type: 'object', properties: {}, additionalProperties: false };

function readAsyncApi({ channels, operations, components }: AsyncApiDocument): Surface {
  const { messages, schemas } = components;
  const frameOf = (ref: Ref | undefined): JsonSchema => messages[keyOf(ref)]?.payload ?? {};
  const promises = new Map<string, Promised>();
  for (const [type, operation] of Object.entries(operations)) {
    if (operation.action !== 'send') continue;
    promises.set(`command ${type}`, {
      inputs: { frame: frameOf(operation.messages[0]) },
      outputs: { reply: frameOf(operation.reply?.messages[0]) },
      refuses: operation['x-refuses'] ?? [],
      facts: { 'is answered behind later commands': operation['x-late'] ?? false },
    });
  }
  for (const ref of operations.notices?.messages ?? [])
    promises.set(`notice ${keyOf(ref)}`, told(frameOf(ref)));
  for (const [kind, channel] of Object.entries(channels)) {
    const { address, messages: refs, 'x-presence': hasPresence = false, 'x-snapshot': snapshot } = channel;
    if (address === null) continue;
    promises.set(`topics ${kind}`, {
      ...told(snapshot, 'snapshot'),
      facts: { address, 'have presence': hasPresence },
    });
    for (const ref of Object.values(refs)) {
      const { name, payload, 'x-durable': isDurable = false } = messages[keyOf(ref)] ?? {};
      const which = name === '*' ? keyOf(ref) : name;
      if (payload === undefined) continue;
      promises.set(`event ${which} on ${kind}`, { ...told(payload), facts: { 'is durable': isDurable } });
    }
  }
  return { promises, schemas };
}

const told = (schema: JsonSchema | undefined, as = 'frame'): Promised => ({
  inputs: {},
  outputs: schema === undefined ? {} : { [as]: schema },
  refuses: [],
  facts: {},
});

/** The shapes that a refusal may be. */
const listNames = ({ $ref, oneOf = [] }: JsonSchema): string[] =>
  typeof $ref === 'string' ? [keyOf({ $ref })] : (oneOf as JsonSchema[]).flatMap(listNames); // as JSON Schema has it

const keyOf = (ref: Ref | undefined): string => ref?.$ref.split('/').at(-1) ?? '';
const refTo = (name: string): JsonSchema => ({ $ref: `#/components/schemas/${name}` });

// Operations as routes. What follows by rule is derived and not repeated: statuses, refusals, parameters, security.

import { type TObject, type TSchema, Type } from '@sinclair/typebox';
import { type AnyElysia, Elysia } from 'elysia';
import { answerSchemaOf } from '../realtime/answer.ts';
import type { Actor, Module, ModuleCore } from '../realtime/index.ts';
import { only, without } from '../realtime/input.ts';
import { type Operation, refusalsOf, startOperation } from '../realtime/operation.ts';
import type { Guard } from './guard.ts';
import { bodyOf, checkAnswer, noBody, queryOf, smallBodyOf } from './input.ts';
import { keyHeaders, refusalsAt } from './responses.ts';

/** Lets nothing pass on the request's connection for so many seconds, before it counts as dead. */
export type KeepSilent = (request: Request, seconds: number) => void;

/** What a request may take beside its waiting. */
const workSeconds = 10;

/** The routes of the module's operations, below /v1. */
export function mountModule(
  { name, operations }: Module,
  core: ModuleCore,
  guard: Guard,
  keepSilent: KeepSilent,
): AnyElysia {
  const routes: AnyElysia = new Elysia({ name, normalize: false });
  for (const operation of operations) routes.use(mount(operation, core, guard, keepSilent, name));
  return routes;
}

function mount(
  operation: Operation,
  core: ModuleCore,
  guard: Guard,
  keepSilent: KeepSilent,
  module: string,
): AnyElysia {
  const { http, takesKey = false } = operation;
  if (http === undefined) return new Elysia();
  const [method = '', path = ''] = http.split(' ');
  const parameters = [...path.matchAll(/:(\w+)/g)].map(([, parameter = '']) => parameter);
  const rest = without(operation.input, parameters);
  const hasBody = method !== 'GET';
  const { admit, run } = startOperation(operation, core);
  const answer = answerSchemaOf(operation) ?? Type.Object({});
  const check = checkAnswer(answer);
  const success = operation.status ?? (takesKey ? 201 : 200);
  const guarded: AnyElysia = new Elysia({ normalize: false }).use(guard);
  // Before the schemas: who may not do it learns nothing of them.
  if (operation.roles !== undefined) guarded.onTransform(({ actor }) => admit(actor));
  const { mayWaitSeconds } = operation;
  const reply = async (
    actor: Actor,
    input: object,
    key: string | undefined,
    request: Request,
  ): Promise<unknown> => {
    const signal = mayWaitSeconds === undefined ? undefined : request.signal;
    if (mayWaitSeconds !== undefined) keepSilent(request, mayWaitSeconds + workSeconds);
    const { output, events } = await run({ actor, key: takesKey ? key : undefined, entered, signal }, input);
    return check(events === undefined ? (output ?? {}) : { ...output, events });
  };
  return guarded.route(
    method,
    path,
    // Elysia reads off a handler what it takes, and prepares that for every request.
    hasBody
      ? async ({ actor, params, body, headers, request, status }) =>
          status(success, await reply(actor, { ...body, ...params }, headers['idempotency-key'], request))
      : async ({ actor, params, query, request, status }) =>
          status(success, await reply(actor, { ...query, ...params }, undefined, request)),
    {
      ...(parameters.length > 0 && { params: only(operation.input, parameters) }),
      ...(takesKey && { headers: keyHeaders }),
      ...(hasBody
        ? { body: isEmpty(rest) ? noBody : path.startsWith('/auth/') ? smallBodyOf(rest) : bodyOf(rest) }
        : { query: queryOf(asObject(rest)) }),
      detail: {
        // Here, and not as Elysia's `response`: it would check each answer twice.
        responses: {
          [success]: { description: 'Done', content: { 'application/json': { schema: answer } } },
          ...refusalsAt([...refusalsOf(operation), ...bodyErrors(hasBody)]),
        },
        operationId: operation.name,
        summary: operation.summary,
        ...(operation.description !== undefined && { description: operation.description }),
        tags: [operation.tag ?? module],
        security: [{ bearer: [] }],
      },
    },
  );
}

/** HTTP has no lanes. */
const entered = (): void => {};

const bodyErrors = (hasBody: boolean) => (hasBody ? (['too_large'] as const) : []);

const isEmpty = (schema: TSchema): boolean => Object.keys(schema.properties ?? { some: 1 }).length === 0;

function asObject(schema: TSchema): TObject {
  if (schema.type === 'object') return schema as TObject; // as its type says
  throw new Error('What comes in a query must be an object of fields.');
}

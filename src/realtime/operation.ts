// What a server can do, declared once: an operation is a route, a command, an entry in both documents, a key, a limit, an
// audit row and its refusals. Its author writes schemas, rules and SQL; HTTP and the socket answer alike.

import type { Static, TSchema } from '@sinclair/typebox';
import type { Db, Statement } from '../db/database.ts';
import type { EventPosition } from '../protocol/envelope.ts';
import type { AppError, ErrorCode } from '../protocol/errors.ts';
import type { EventTable, PayloadOf } from '../protocol/events.ts';
import type { Role } from '../protocol/roles.ts';
import { type Actor, requireRole } from './actor.ts';
import { createAfterCommit } from './after-commit.ts';
import type { BatchContext, BatchItem, BatchWork } from './log/batch-commit.ts';
import { type Emit, keyedBy } from './log/commit.ts';
import type { GroupItem } from './log/group-commit.ts';
import { takeOrRepeat } from './log/keys.ts';
import type { ModuleCore, RateLimit } from './module-core.ts';
import type { Topic } from './topic-kind.ts';

type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

/** What every operation says about itself. */
export interface Declared<Input extends TSchema, Output extends TSchema | undefined> {
  /** One line, as a heading. */
  readonly summary: string;
  readonly description?: string;
  /** The heading in the documents; the module's name where it is left out. */
  readonly tag?: string;
  /** `POST /chats/:chatId/members`, below /v1: path parameters are fields of the input. Left out: socket only. */
  readonly http?: `${Method} /${string}`;
  /** The status of success. 201 where a key is taken (it creates something), else 200. */
  readonly status?: 200 | 201;
  /** False: HTTP only. */
  readonly socket?: boolean;
  /** With a field `topic`, which the envelope carries rather than the payload. [E1] */
  readonly takesTopic?: boolean;
  /** Unknown fields are refused, so say `additionalProperties: false`. */
  readonly input: Input;
  /** Left out: nothing is answered but `ok`. */
  readonly output?: Output;
  /**
   * Over the socket no command waits for it: for what is gathered before it takes effect. Its reply comes when that is
   * done, behind those of later commands. [E6]
   */
  readonly isLate?: boolean;
  /** Its answer may come this much later, while nothing passes on the connection: over HTTP, which gives up after 10 s else. */
  readonly mayWaitSeconds?: number;
  /** An idempotency key may come with it. [K1] */
  readonly takesKey?: boolean;
  /** Only users of these roles. */
  readonly roles?: readonly Role[];
  readonly limit?: RateLimit;
  /** Does not count where this is true. */
  isFree?(
    context: { readonly actor: Actor; readonly db: Db },
    input: Static<Input>,
  ): boolean | Promise<boolean>;
  /** What the schema cannot say; throws `invalid`. It comes before all else, and may be asked by anybody as often as they like. */
  check?(input: Static<Input>): unknown;
  /** What it may refuse with, beside what follows from the rest: `invalid`, `unauthorized`, `rate_limited` and so on. */
  readonly refuses?: readonly ErrorCode[];
}

type Answered<Output extends TSchema | undefined> = Output extends TSchema ? Static<Output> : undefined;

/** A request, over HTTP or the socket. */
export interface Call {
  readonly actor: Actor;
  readonly key: string | undefined;
  /** The request has its place in the order of its lane; the next one may follow. [E6] */
  readonly entered: () => void;
  /** Of a request over HTTP whose operation may wait: aborted when the client is gone, and nobody reads the answer. */
  readonly signal?: AbortSignal | undefined;
}

/** What both answer; `events` says where its events stand, and is there where it may have written some. [O3] */
export interface Answer {
  readonly output: object | undefined;
  readonly events?: readonly EventPosition[] | undefined;
}

export interface Operation<
  Name extends string = string,
  Input extends TSchema = TSchema,
  Output extends TSchema | undefined = TSchema | undefined,
> extends Declared<Input, Output> {
  /** The type of the command, and the `operationId` of the route. */
  readonly name: Name;
  /** Neighbours on one connection need not wait for each other's end: whatever stands behind keeps their order. [E6] */
  readonly hasLane: boolean;
  /** Whether the answer has `events`. */
  readonly writes: boolean | 'sometimes';
  /** Binds it to a server. The input fits the schema when the answer is called. */
  start(core: ModuleCore): (call: Call, input: unknown) => Promise<Answer>;
}

export interface CommandContext {
  readonly actor: Actor;
  /** The transaction: everything that is read and written belongs in it. */
  readonly tx: Db;
  /** Queues events, which stand or fall with the transaction. */
  readonly emit: Emit;
  /** Adds a row to the audit log, with the transaction. */
  audit(event: string, details?: Record<string, unknown>, userId?: string): Promise<void>;
  /** Called once behind the COMMIT of the attempt that succeeded, and for no repeat of it. Must not fail. */
  afterCommit(run: () => void): void;
  /** Something timed is due in so many ms: behind COMMIT it is looked for then. See `timed`. */
  wakeIn(ms: number): void;
}

/** A change, in one transaction with its events. It may run again, so it has no effect outside of `tx`. */
export function command<
  const Name extends string,
  Input extends TSchema,
  Output extends TSchema | undefined = undefined,
>(
  name: Name,
  declared: Declared<Input, Output> & {
    run(context: CommandContext, input: Static<Input>): Promise<Answered<Output>>;
  },
): Operation<Name, Input, Output> {
  return {
    ...declared,
    name,
    hasLane: false,
    writes: true,
    start: (core) => async (call, given) => {
      const input = given as Static<Input>; // checked on the way in
      const { actor, key } = call;
      const after = createAfterCommit(core.reporter);
      const committed = await core.commit(
        actor,
        async (tx, emit) => {
          after.begin();
          const audit: CommandContext['audit'] = (event, details, userId = actor.userId) =>
            core.audit(tx, { event, userId, sessionId: actor.sessionId, device: actor.device, details });
          const context: CommandContext = {
            actor,
            tx,
            emit,
            audit,
            afterCommit: after.add,
            wakeIn: (ms) => after.add(() => core.wakeIn(ms)),
          };
          return ((await declared.run(context, input)) ?? nothing) as object; // outputs are objects
        },
        { operation: name, key, body: given },
      );
      if (!committed.isRepeat) after.runAll(); // an attempt may have begun, and found the first result behind its rollback
      return { output: declared.output && committed.value, events: committed.events };
    },
  };
}

/** A reading, outside of any transaction but its own. */
export function query<const Name extends string, Input extends TSchema, Output extends TSchema>(
  name: Name,
  declared: Declared<Input, Output> & {
    run(context: { readonly actor: Actor; readonly db: Db }, input: Static<Input>): Promise<Static<Output>>;
  },
): Operation<Name, Input, Output> {
  return {
    ...declared,
    name,
    hasLane: false,
    writes: false,
    start:
      ({ db }) =>
      async ({ actor }, input) => ({ output: (await declared.run({ actor, db }, input)) as object }),
  };
}

/** Anything else, such as what only announces: it gets the core and says itself what it wrote. */
export function action<
  const Name extends string,
  Input extends TSchema,
  Output extends TSchema | undefined = undefined,
>(
  name: Name,
  declared: Declared<Input, Output> & {
    readonly writes?: boolean | 'sometimes';
    start(core: ModuleCore): (call: Call, input: Static<Input>) => Promise<Answer>;
  },
): Operation<Name, Input, Output> {
  return { ...declared, name, hasLane: false, writes: declared.writes ?? false };
}

/** One of many small writes that share a transaction; all its events are on one topic. See `GroupWork`. */
export function grouped<
  const Name extends string,
  Input extends TSchema,
  Output extends TSchema,
  Draft,
  Events extends EventTable,
  Type extends keyof Events & string,
>(
  name: Name,
  declared: Declared<Input, Output> & {
    /** What it writes counts as sent by a user to others: in `messages_sent_total`. */
    readonly isMessage?: boolean;
    readonly event: Type;
    topic(input: Static<Input>): Topic<Events>;
    /** Before the batch, for each alone: throws what can be refused without the database. */
    draft(actor: Actor, input: Static<Input>): Draft;
    refuse?(tx: Db, items: readonly GroupItem<Draft>[]): Promise<readonly (AppError | undefined)[]>;
    /** What is answered, and the event's payload; `seq` is the event's. */
    toOutput(draft: Draft, seq: number): Static<Output> & PayloadOf<Events, Type>;
    write?(outputs: readonly Static<Output>[]): readonly Statement[];
    onCommitted?(written: readonly { readonly actor: Actor; readonly output: Static<Output> }[]): void;
  },
): Operation<Name, Input, Output> {
  return {
    ...declared,
    name,
    hasLane: true,
    writes: true,
    start(core) {
      const sent = declared.isMessage ? core.telemetry.metrics.messagesSent.of(name) : undefined;
      const add = core.createGroup<Draft, object>({
        refuse: declared.refuse,
        toValue: ({ input }, seq) => declared.toOutput(input, seq) as object, // outputs are objects
        toEvent: (_, payload) => ({ type: declared.event, payload }),
        write: (values) => declared.write?.(values as readonly Static<Output>[]) ?? [], // made by toOutput
        onCommitted(written) {
          sent?.add(written.length);
          declared.onCommitted?.(
            written.map(({ item, value }) => ({ actor: item.actor, output: value as Static<Output> })),
          );
        },
      });
      return async ({ actor, key, entered }, given) => {
        const input = given as Static<Input>; // checked on the way in
        const draft = declared.draft(actor, input);
        const request = keyedBy(actor, { operation: name, key, body: given });
        const added = add({ actor, topic: declared.topic(input).name, input: draft, request });
        entered();
        const { value, events } = await added;
        return { output: value, events };
      };
    },
  };
}

/** As `command`, for changes that are many and small: those that arrive together share a transaction. See `BatchWork`. */
export function batched<
  const Name extends string,
  Input extends TSchema,
  Output extends TSchema,
  Draft,
  Found,
  Row,
>(
  name: Name,
  declared: Declared<Input, Output> &
    Pick<BatchWork<BatchedItem<Draft>, Found, Row, object>, 'find' | 'write' | 'maxBatch'> & {
      /** Before the batch, for each alone: throws what can be refused without the database. */
      draft(actor: Actor, input: Static<Input>): Draft;
      /** What becomes of one, behind all locks; see `BatchWork`. */
      decide(
        item: BatchedItem<Draft>,
        found: Found,
        context: BatchContext,
      ): { readonly value: Static<Output>; readonly row?: Row } | AppError;
    },
): Operation<Name, Input, Output> {
  return {
    ...declared,
    name,
    hasLane: true,
    writes: true,
    start(core) {
      const { find, decide, write, maxBatch } = declared;
      const add = core.createBatch<BatchedItem<Draft>, Found, Row, object>({
        find,
        decide: decide as BatchWork<BatchedItem<Draft>, Found, Row, object>['decide'], // outputs are objects
        write,
        maxBatch,
      });
      return async ({ actor, key, entered }, given) => {
        const draft = declared.draft(actor, given as Static<Input>); // checked on the way in
        const request = keyedBy(actor, { operation: name, key, body: given });
        const added = add({ actor, input: draft, request });
        entered();
        const { value, events } = await added;
        return { output: value, events };
      };
    },
  };
}

export interface BatchedItem<Draft> extends BatchItem {
  readonly input: Draft;
}

/** What a command without an output keeps under its key. */
const nothing = {};

/** An operation as HTTP and the socket call it. */
export interface Started {
  /** Throws `forbidden` where the actor's role may not. Read anew: what the token says may be so no longer. */
  admit(actor: Actor): Promise<void>;
  /** The limit is counted first; over it, a repeat is answered all the same. [K1] */
  run(call: Call, input: unknown): Promise<Answer>;
}

export function startOperation(operation: Operation, core: ModuleCore): Started {
  const run = operation.start(core);
  const { name, roles } = operation;
  const limit = operation.limit && core.isLimited(operation.limit) ? operation.limit : undefined;
  /** Counts it; what is answered where it is a repeat. */
  const take = async (
    limit: RateLimit,
    { actor, key }: Call,
    input: unknown,
  ): Promise<Answer | undefined> => {
    if (await operation.isFree?.({ actor, db: core.db }, input)) return undefined;
    const request = keyedBy(actor, { operation: name, key, body: input });
    const first = await takeOrRepeat<object>(core.db, request, () => core.takeLimit(limit, actor));
    return first && { output: first.value, events: first.events };
  };
  return {
    async admit(actor) {
      if (roles !== undefined) requireRole(await core.confirm(actor), roles);
    },
    async run(call, input) {
      operation.check?.(input);
      return (limit && (await take(limit, call, input))) ?? (await run(call, input));
    },
  };
}

/** What an operation may refuse with, from all that it says. */
export function refusalsOf({ refuses = [], roles, limit, takesKey }: Operation): ErrorCode[] {
  const codes: ErrorCode[] = ['invalid', 'unauthorized', ...refuses];
  if (roles !== undefined) codes.push('forbidden');
  if (limit !== undefined) codes.push('rate_limited');
  if (takesKey) codes.push('conflict');
  return [...new Set(codes)];
}

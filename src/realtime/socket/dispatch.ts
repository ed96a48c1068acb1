// From the bytes of a frame to the command that answers it: parse, look up, check the payload, run, encode the reply. [E]
// When it runs, and when its reply leaves, is the connection's to say. [E6]

import type { TSchema } from '@sinclair/typebox';
import { type Check, compileCheck } from '../../protocol/check.ts';
import { ClientFrame, closeCodes, typePattern } from '../../protocol/envelope.ts';
import { AppError, toWireError } from '../../protocol/errors.ts';
import { misfit } from '../../protocol/field-errors.ts';
import { cutNested, isTooDeep, maxLevels } from '../../protocol/json.ts';
import type { Histogram } from '../../telemetry/metrics.ts';
import type { Telemetry, TraceContext } from '../../telemetry/tracing.ts';
import type { Actor } from '../actor.ts';
import type { Call } from '../operation.ts';
import type { Reporter } from '../report.ts';
import type { Connection } from './connection.ts';
import type { EncodedReply, ReadFrame } from './turn.ts';

/** A command of the core: it may act on the connection itself. */
export interface CoreCommand {
  readonly type: string;
  readonly input: TSchema;
  readonly takesTopic: boolean;
  /** For how many commands one with this payload, which fits `input`, stands; absent: for one. [E6] */
  readonly weigh?: (payload: unknown) => number;
  run(connection: Connection, frame: ClientFrame): Promise<Reply>;
}

/** An operation as a command: its payload fits `input` when `run` is called. [E5] */
export interface Command {
  readonly type: string;
  readonly input: TSchema;
  readonly takesKey: boolean;
  readonly takesTopic: boolean;
  readonly lane: string | undefined;
  readonly isLate?: boolean;
  run(call: Call, frame: { readonly topic: string | undefined; readonly payload: unknown }): Promise<Reply>;
}

export interface Reply {
  readonly payload?: object | undefined;
  /** Another frame in the place of `ok`. */
  readonly type?: 'pong';
  /** Runs right behind the reply. */
  readonly afterReply?: (() => void) | undefined;
}

export interface DispatchDeps {
  readonly coreCommands: readonly CoreCommand[];
  readonly commands: readonly Command[];
  /**
   * The first frame of a connection that brought no credentials with its upgrade; undefined: it is no envelope. [H1]
   * `replyId`: the id of either, where it is valid. [E2]
   */
  readonly greet: (
    connection: Connection,
    frame: ClientFrame | undefined,
    replyId: string | undefined,
  ) => Promise<void>;
  /** A connection sent more commands than it may. */
  readonly onLimited: (actor: Actor, limit: 'commands a second') => void;
  readonly reporter: Pick<Reporter, 'toRefusal'>;
  readonly telemetry: Telemetry;
}

interface Route {
  readonly seconds: Histogram;
  readonly check: Check<TSchema>;
  readonly takesTopic: boolean;
  readonly takesKey: boolean;
  readonly lane: string | undefined;
  readonly isLate: boolean;
  readonly weigh?: ((payload: unknown) => number) | undefined;
  run(
    connection: Connection,
    frame: ClientFrame,
    entered: () => void,
    trace: TraceContext | undefined,
  ): Promise<Reply>;
}

const envelopeCheck = compileCheck(ClientFrame);
const typeCheck = new RegExp(typePattern);

export function createDispatch(deps: DispatchDeps): ReadFrame<Connection> {
  const routes = listRoutes(deps);
  const { metrics, tracer } = deps.telemetry;

  /** The error frame that a refusal becomes. */
  const refuse = (id: string | undefined, refusal: AppError): string => {
    metrics.errors.of('socket', refusal.code).add();
    return errorFrame(id, refusal);
  };

  const refuseOverLimit = (connection: Connection): AppError => {
    deps.onLimited(connection.actor, 'commands a second');
    return new AppError(
      'rate_limited',
      'Too many commands at once on this connection. Send fewer a second.',
      {
        retryAfterMs: connection.retryAfterMs,
      },
    );
  };

  const answer = (
    connection: Connection,
    frame: ClientFrame,
    entered: () => void,
    route: Route | undefined,
    trace: TraceContext | undefined,
  ): Promise<Reply> => {
    if (route === undefined) {
      throw new AppError('unknown_command', `There is no command "${frame.type}".`);
    }
    if (frame.topic !== undefined && !route.takesTopic) {
      throw misfit([{ path: '/topic', message: `The command ${frame.type} takes no topic.` }], 'frame');
    }
    if (frame.key !== undefined && !route.takesKey) {
      throw misfit([{ path: '/key', message: `The command ${frame.type} takes no key.` }], 'frame');
    }
    const { payload = {} } = frame;
    if (!route.check.fits(payload)) throw misfit(route.check.listErrors(payload, '/payload'), 'frame');
    const weight = route.weigh?.(payload) ?? 1;
    if (weight > 1 && !connection.charge(weight - 1)) throw refuseOverLimit(connection);
    return route.run(connection, frame.payload === undefined ? { ...frame, payload } : frame, entered, trace);
  };

  const settle = async (
    connection: Connection,
    frame: ClientFrame,
    entered: () => void,
  ): Promise<EncodedReply> => {
    const route = routes.get(frame.type);
    const startedAt = performance.now();
    const span =
      route && tracer?.start(`command ${frame.type}`, { attributes: { 'enduser.id': connection.userId } });
    let failure: string | undefined;
    try {
      const { type, payload, afterReply } = await answer(connection, frame, entered, route, span?.context);
      const isWanted = type !== undefined || frame.id !== undefined;
      return {
        text: isWanted ? JSON.stringify({ type: type ?? 'ok', id: frame.id, payload }) : undefined,
        afterReply,
      };
    } catch (error) {
      const refusal = deps.reporter.toRefusal(error, `command ${frame.type}`);
      failure = refusal.code;
      return { text: refuse(frame.id, refusal) };
    } finally {
      route?.seconds.observe((performance.now() - startedAt) / 1_000);
      span?.end(failure);
    }
  };

  const reply = async (
    connection: Connection,
    parsed: Parsed,
    isOverLimit: boolean,
    entered: () => void,
  ): Promise<EncodedReply> => {
    const { frame } = parsed;
    if (!connection.isLive) {
      await deps.greet(connection, frame, frame ? frame.id : parsed.id);
      return {};
    }
    if (frame === undefined) {
      const isTooMuch = parsed.isNonsense && connection.countNonsense();
      const close = () => connection.close(closeCodes.nonsense, 'Too many frames that are no envelopes.');
      return { text: refuse(parsed.id, parsed.problem), afterReply: isTooMuch ? close : undefined };
    }
    if (isOverLimit) return { text: refuse(frame.id, refuseOverLimit(connection)) };
    return await settle(connection, frame, entered);
  };

  return (connection, bytes, isOverLimit) => {
    const parsed = parseFrame(bytes);
    const isCommand = parsed.frame !== undefined && connection.isLive && !isOverLimit;
    const route = isCommand ? routes.get(parsed.frame.type) : undefined;
    const { lane, isLate = false } = route ?? {};
    return {
      lane,
      isLate,
      run() {
        if (lane === undefined) {
          const replied = reply(connection, parsed, isOverLimit, ignore);
          return { entered: replied, reply: replied };
        }
        const place = Promise.withResolvers<void>();
        const replied = reply(connection, parsed, isOverLimit, place.resolve);
        replied.then(() => place.resolve()); // refused before it took its place, it takes none
        return { entered: place.promise, reply: replied };
      },
    };
  };
}

const ignore = (): void => {};

/** An error frame; `id` ties it to the frame that it answers. [E2] */
export function sendError(connection: Connection, id: string | undefined, error: AppError): void {
  connection.send(errorFrame(id, error));
}

const errorFrame = (id: string | undefined, error: AppError): string =>
  JSON.stringify({ type: 'error', id, error: toWireError(error, '/payload') });

/** The topic that a command is about; throws `invalid` where the envelope names none. [S5] */
export function requireTopic(topic: string | undefined): string {
  if (topic !== undefined) return topic;
  throw new AppError('invalid', 'Say which topic.', {
    details: [{ path: '/topic', message: 'Expected a topic.' }],
  });
}

type Parsed =
  | { readonly frame: ClientFrame }
  | {
      readonly frame?: undefined;
      readonly problem: AppError;
      readonly id: string | undefined;
      readonly isNonsense: boolean;
    };

/** Nonsense is what has no type to look up; a frame that is merely wrong is not counted against the client. [E5] */
function parseFrame(bytes: string | Buffer): Parsed {
  if (typeof bytes !== 'string') {
    return nonsense('Expected a text frame with one JSON object, but got a binary frame.');
  }
  const isDeep = isTooDeep(bytes);
  let value: unknown;
  try {
    value = JSON.parse(isDeep ? cutNested(bytes) : bytes);
  } catch {
    return nonsense('Expected one JSON object, but the frame is not JSON.');
  }
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    return nonsense('Expected one JSON object { id?, type, topic?, payload?, key? }.');
  }
  if (!isDeep && envelopeCheck.fits(value)) return { frame: value };
  const { id, type } = value as { id?: unknown; type?: unknown }; // an object of unknown shape
  const replyId = typeof id === 'string' && id.length >= 1 && id.length <= 64 ? id : undefined;
  const hasType = typeof type === 'string' && typeCheck.test(type);
  if (isDeep && hasType) {
    const problem = misfit([{ path: '', message: `Expected at most ${maxLevels} levels` }], 'frame');
    return { problem, id: replyId, isNonsense: false };
  }
  const details = envelopeCheck.listErrors(value, '');
  const message = hasType
    ? 'The envelope is { id?, type, topic?, payload?, key? }, with an id and a key of 1 to 64 characters.'
    : 'Expected a type of 1 to 64 of the characters a-z 0-9 . _ -';
  return { problem: new AppError('invalid', message, { details }), id: replyId, isNonsense: !hasType };
}

function nonsense(message: string): Parsed {
  return { problem: new AppError('invalid', message), id: undefined, isNonsense: true };
}

function listRoutes({ coreCommands, commands, telemetry }: DispatchDeps): Map<string, Route> {
  const { processing } = telemetry.metrics;
  const routes = new Map<string, Route>();
  const add = (type: string, route: Route): void => {
    if (routes.has(type)) throw new Error(`Two commands have the type ${type}.`);
    routes.set(type, route);
  };
  for (const command of coreCommands) {
    add(command.type, {
      seconds: processing.of('socket', command.type),
      check: compileCheck(command.input),
      takesTopic: command.takesTopic,
      takesKey: false,
      lane: undefined,
      isLate: false,
      weigh: command.weigh,
      run: (connection, frame) => command.run(connection, frame),
    });
  }
  for (const command of commands) {
    add(command.type, {
      seconds: processing.of('socket', command.type),
      check: compileCheck(command.input),
      takesTopic: command.takesTopic,
      takesKey: command.takesKey,
      lane: command.lane,
      isLate: command.isLate ?? false,
      run(connection, { id, topic, payload, key }, entered, trace) {
        const actor = { ...connection.actor, correlationId: id, trace };
        return command.run({ actor, key, entered }, { topic, payload });
      },
    });
  }
  return routes;
}

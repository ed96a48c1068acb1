// From the bytes of a frame to the command that answers it: parse, look up, check the payload, run, reply. [E]
// Replies leave in the order of the frames, because the connection hands over one at a time. [E6]

import type { TSchema } from '@sinclair/typebox';
import { type Check, compileCheck } from '../protocol/check.ts';
import { ClientFrame, closeCodes, typePattern } from '../protocol/envelope.ts';
import { AppError, toWireError } from '../protocol/errors.ts';
import { misfit } from '../protocol/field-errors.ts';
import { cutNested, isTooDeep, maxLevels } from '../protocol/json.ts';
import type { Actor } from './actor.ts';
import type { Connection } from './connection.ts';
import type { Command } from './module.ts';

/** A command of the core: it may act on the connection itself. */
export interface CoreCommand {
  readonly type: string;
  readonly input: TSchema;
  readonly takesTopic: boolean;
  /** For how many commands one with this payload, which fits `input`, stands; absent: for one. [E6] */
  readonly weigh?: (payload: unknown) => number;
  run(connection: Connection, frame: ClientFrame): Promise<Reply>;
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
  readonly toRefusal: (error: unknown, what: string) => AppError;
}

interface Route {
  readonly check: Check<TSchema>;
  readonly takesTopic: boolean;
  readonly takesKey: boolean;
  readonly lane: string | undefined;
  readonly weigh?: ((payload: unknown) => number) | undefined;
  run(connection: Connection, frame: ClientFrame, entered: () => void): Promise<Reply>;
}

export type Dispatch = (
  connection: Connection,
  bytes: string | Buffer,
  isOverLimit: boolean,
) => Promise<void>;

const envelopeCheck = compileCheck(ClientFrame);
const typeCheck = new RegExp(typePattern);

export function createDispatch(deps: DispatchDeps): Dispatch {
  const routes = listRoutes(deps);

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

  const answer = async (connection: Connection, frame: ClientFrame, entered: () => void): Promise<Reply> => {
    const route = routes.get(frame.type);
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
    return await route.run(connection, { ...frame, payload }, entered);
  };

  /** Runs the command; sends nothing. */
  const settle = async (
    connection: Connection,
    frame: ClientFrame,
    entered: () => void,
  ): Promise<Settled> => {
    try {
      const { type, payload, afterReply } = await answer(connection, frame, entered);
      const isWanted = type !== undefined || frame.id !== undefined;
      return {
        text: isWanted ? JSON.stringify({ type: type ?? 'ok', id: frame.id, payload }) : undefined,
        afterReply,
      };
    } catch (error) {
      return { text: errorFrame(frame.id, deps.toRefusal(error, `command ${frame.type}`)) };
    }
  };

  return async (connection, bytes, isOverLimit) => {
    if (connection.isClosed) return;
    const parsed = parseFrame(bytes);
    const lane = parsed.frame && !isOverLimit ? routes.get(parsed.frame.type)?.lane : undefined;
    if (lane !== undefined && parsed.frame !== undefined && connection.isLive) {
      await connection.enterLane(lane);
      if (connection.isClosed) return; // while it waited
      const { promise, resolve } = Promise.withResolvers<void>();
      const settled = settle(connection, parsed.frame, resolve);
      connection.replyInTurn(settled.then(({ text }) => text));
      // Refused before it took its place, it takes none.
      await Promise.race([promise, settled]);
      return;
    }
    await connection.enterLane(undefined);
    if (connection.isClosed) return;
    if (!connection.isLive) {
      await deps.greet(connection, parsed.frame, parsed.frame ? parsed.frame.id : parsed.id);
    } else if (parsed.frame === undefined) {
      sendError(connection, parsed.id, parsed.problem);
      if (parsed.isNonsense && connection.countNonsense()) {
        connection.close(closeCodes.nonsense, 'Too many frames that are no envelopes.');
      }
    } else if (isOverLimit) {
      sendError(connection, parsed.frame.id, refuseOverLimit(connection));
    } else {
      const { text, afterReply } = await settle(connection, parsed.frame, () => {});
      if (text !== undefined) connection.send(text);
      afterReply?.();
    }
  };
}

interface Settled {
  /** The reply, encoded; undefined where none is wanted. */
  readonly text: string | undefined;
  readonly afterReply?: (() => void) | undefined;
}

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

function listRoutes({ coreCommands, commands }: DispatchDeps): Map<string, Route> {
  const routes = new Map<string, Route>();
  const add = (type: string, route: Route): void => {
    if (routes.has(type)) throw new Error(`Two commands have the type ${type}.`);
    routes.set(type, route);
  };
  for (const command of coreCommands) {
    add(command.type, {
      check: compileCheck(command.input),
      takesTopic: command.takesTopic,
      takesKey: false,
      lane: undefined,
      weigh: command.weigh,
      run: (connection, frame) => command.run(connection, frame),
    });
  }
  for (const command of commands) {
    add(command.type, {
      check: compileCheck(command.input),
      takesTopic: command.takesTopic,
      takesKey: command.takesKey,
      lane: command.lane,
      async run(connection, { id, topic, payload, key }, entered) {
        const actor = { ...connection.actor, correlationId: id };
        return { payload: await command.run(actor, payload, { topic, key, entered }) };
      },
    });
  }
  return routes;
}

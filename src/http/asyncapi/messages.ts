// The frames of the socket as messages of the AsyncAPI document, whole envelopes, written from the declarations. [E]
// Keys tell apart what shares a type: `command.typing` asks for what `event.typing` tells.

import { type TProperties, type TSchema, Type } from '@sinclair/typebox';
import { Value } from '@sinclair/typebox/value';
import { EventMeta, FrameId, Key, notices } from '../../protocol/envelope.ts';
import { WireError } from '../../protocol/errors.ts';
import { Id, Instant } from '../../protocol/values.ts';
import { exampleOf } from '../examples.ts';

export interface Message {
  /** The type of the frame. */
  readonly name: string;
  readonly title: string;
  readonly summary?: string;
  /** The whole frame. */
  readonly payload: TSchema;
  readonly examples: readonly { readonly payload: unknown }[];
  /** Of an event: whether it is in the log. [E3] */
  readonly 'x-durable'?: boolean;
}

export interface CommandFrame {
  readonly type: string;
  readonly summary: string;
  /** Of the payload. */
  readonly input: TSchema;
  readonly takesTopic: boolean;
  readonly isTopicOptional?: boolean | undefined;
  readonly takesKey: boolean;
}

/** A frame from the client. [E1] */
export function commandMessage(command: CommandFrame): Message {
  const { type, summary, input, takesTopic, isTopicOptional = false, takesKey } = command;
  const about = Type.String({ examples: [exampleTopic] });
  const isPayloadOptional = Value.Check(input, {}); // a missing one counts as {} [E5]
  const frame = Type.Object(
    {
      id: Type.Optional(FrameId),
      type: Type.Literal(type),
      ...(takesTopic && { topic: isTopicOptional ? Type.Optional(about) : about }),
      payload: isPayloadOptional ? Type.Optional(input) : input,
      ...(takesKey && { key: Type.Optional(Key) }),
    },
    { additionalProperties: false },
  );
  const example = {
    id: exampleFrameId,
    type,
    ...(takesTopic && { topic: exampleTopic }),
    payload: exampleOf(input),
  };
  return { name: type, title: type, summary, payload: frame, examples: [{ payload: example }] };
}

/** The reply to a frame with an `id`; a `pong` repeats it if there was one. [E2] */
export function replyMessage(command: string, type: 'ok' | 'pong', answer: TSchema | undefined): Message {
  const id = type === 'ok' ? Type.String() : Type.Optional(Type.String());
  return serverMessage(type, `${type} to ${command}`, {
    id: { ...id, examples: [exampleFrameId] },
    // Nothing to tell is no payload.
    ...(answer && { payload: Value.Check(answer, {}) ? Type.Optional(answer) : answer }),
  });
}

/** A refusal. Without an `id` where the frame that it answers had none, and where it answers none. [E2] */
export const errorMessage: Message = {
  ...serverMessage('error', 'error', { id: Type.Optional(Type.String()), error: WireError }),
  summary: 'A refusal; without an id where the frame had none',
};

/** An event of this type; of any that its publisher chooses where the kind of topic declares none. [E3] [T1] */
export function eventMessage(
  type: string | undefined,
  payload: TSchema,
  isDurable: boolean,
  topic: string,
): Message {
  const fields = {
    topic: Type.String({ examples: [topic] }),
    ...(isDurable && { seq: Type.Integer({ minimum: 1 }) }),
    id: Id,
    at: Instant,
    payload,
    meta: EventMeta,
  };
  const title = `${type ?? 'anything published'} (${isDurable ? 'durable' : 'ephemeral'})`;
  return { ...serverMessage(type, title, fields), 'x-durable': isDurable };
}

/** What is neither reply nor event, by type. [E4] */
export const noticeMessages: Readonly<Record<string, Message>> = Object.fromEntries(
  Object.entries(notices).map(([type, { summary, hasTopic, payload }]) => [
    type,
    { ...serverMessage(type, type, { ...(hasTopic && { topic: Type.String() }), payload }), summary },
  ]),
);

/** Open: a client passes over fields that it does not know. */
function serverMessage(type: string | undefined, title: string, fields: TProperties): Message {
  const frame = Type.Object({
    type: type === undefined ? Type.String({ examples: ['cursor.moved'] }) : Type.Literal(type),
    ...fields,
  });
  return { name: type ?? '*', title, payload: frame, examples: [{ payload: exampleOf(frame) }] };
}

/** Where a command is shown with a topic, it is this one. */
const exampleTopic = 'app:public.lobby';
const exampleFrameId = '1';

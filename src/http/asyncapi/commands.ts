// The commands of the AsyncAPI document, those of the protocol itself and those of the modules, each with its reply.

import type { ErrorCode } from '../../protocol/errors.ts';
import { answerSchemaOf } from '../../realtime/answer.ts';
import type { Module } from '../../realtime/index.ts';
import { type Operation, refusalsOf } from '../../realtime/operation.ts';
import { type CoreCommandSpec, coreCommandSpecs } from '../../realtime/socket/commands.ts';
import { payloadOf } from '../../realtime/socket/operations.ts';
import { type CommandFrame, type Message, replyMessage } from './messages.ts';
import { type AsyncOperation, refIn } from './parts.ts';

/** The heading of what no module has. */
export const connectionTag = 'Connection';

export interface DocumentedCommand {
  readonly frame: CommandFrame;
  readonly reply: Message;
  readonly tag: string;
  readonly description?: string | undefined;
  readonly writes: Operation['writes'];
  readonly isLate: boolean;
  readonly refuses: readonly ErrorCode[];
}

export function listCommands(modules: readonly Module[]): DocumentedCommand[] {
  const ofCore = Object.values<CoreCommandSpec>(coreCommandSpecs).map((spec): DocumentedCommand => {
    const { type, summary, input, takesTopic, isTopicOptional, reply, replyType = 'ok', refuses } = spec;
    const frame = { type, summary, input, takesTopic, isTopicOptional, takesKey: false };
    const message = replyMessage(type, replyType, reply);
    return { frame, reply: message, tag: connectionTag, writes: false, isLate: false, refuses };
  });
  const ofModules = modules.flatMap(({ name: module, operations }) =>
    operations
      .filter(({ socket }) => socket !== false)
      .map((operation): DocumentedCommand => {
        const { name: type, summary, description, tag = module, writes } = operation;
        const { takesKey = false, takesTopic = false } = operation;
        return {
          frame: { type, summary, input: payloadOf(operation), takesTopic, takesKey },
          reply: replyMessage(type, 'ok', answerSchemaOf(operation)),
          tag,
          description,
          writes,
          isLate: operation.isLate ?? false,
          refuses: refusalsOf(operation),
        };
      }),
  );
  return [...ofCore, ...ofModules];
}

/** What any command may be refused with. [X] */
const byAny: readonly ErrorCode[] = ['rate_limited', 'unavailable', 'internal'];

export function describeCommand(command: DocumentedCommand): AsyncOperation {
  const { frame, tag, description, writes, isLate, refuses } = command;
  const channel = { $ref: '#/channels/connection' };
  return {
    action: 'send',
    channel,
    summary: frame.summary,
    ...(description !== undefined && { description }),
    tags: [{ name: tag }],
    messages: [refIn('connection', `command.${frame.type}`)],
    reply: {
      channel,
      messages: [refIn('connection', `reply.${frame.type}`), refIn('connection', 'error')],
    },
    'x-takesKey': frame.takesKey,
    'x-writes': writes,
    'x-late': isLate,
    'x-refuses': [...new Set([...refuses, ...byAny])],
  };
}

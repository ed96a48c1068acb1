// Operations as commands over the socket. The envelope carries the key and, where there is one, the topic. [E1]

import type { TSchema } from '@sinclair/typebox';
import { without } from '../input.ts';
import type { ModuleCore } from '../module-core.ts';
import { type Operation, startOperation } from '../operation.ts';
import { type Command, requireTopic } from './dispatch.ts';

export function toCommand(operation: Operation, core: ModuleCore): Command {
  const { name, roles, takesTopic = false, takesKey = false, hasLane, isLate = false } = operation;
  const { admit, run } = startOperation(operation, core);
  return {
    type: name,
    input: payloadOf(operation),
    takesKey,
    takesTopic,
    lane: hasLane ? name : undefined,
    isLate,
    async run(call, { topic, payload }) {
      if (roles !== undefined) await admit(call.actor);
      const fields = payload as object; // checked by dispatch
      const { output, events } = await run(
        call,
        takesTopic ? { ...fields, topic: requireTopic(topic) } : fields,
      );
      return { payload: events === undefined ? output : { ...output, events } }; // [O3]
    },
  };
}

/** What stands in the payload of the command's frame. */
export function payloadOf({ input, takesTopic }: Operation): TSchema {
  return takesTopic ? without(input, ['topic']) : input;
}

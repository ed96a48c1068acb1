// The WebSocket door to free topics; to follow one is the protocol's own `subscribe`.

import { type Command, defineCommand } from '../../realtime/module.ts';
import { requireTopic } from '../../realtime/socket/dispatch.ts';
import * as contract from './contract.ts';
import type { TopicsService } from './service.ts';

export function createTopicsCommands(topics: TopicsService): Command[] {
  return [
    defineCommand({
      type: 'publish',
      input: contract.Publish,
      takesKey: true,
      takesTopic: true,
      run: (actor, input, { topic, key }) => topics.publish(actor, requireTopic(topic), input, key),
    }),
  ];
}

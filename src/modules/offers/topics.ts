// Where offers are told of: on the topic of their chat, and on those of the two whom they concern.

import { userTopics } from '../../auth/topics.ts';
import { chat as chatTopics } from '../chat/index.ts';
import { events } from './contract.ts';

export const chat = chatTopics.carrying(events);
export const user = userTopics.carrying(events);

// The life of one event, for admins who are asked where it is: who caused it and when, from the log; what became of it on
// this instance, from memory. Never what it says: that is for those who follow its topic.

import { AppError } from '../protocol/errors.ts';
import { type ModuleCore, query, readEvents, readHeads } from '../realtime/index.ts';
import * as contract from './contract.ts';

export const explainEvent = ({ recallEvent }: Pick<ModuleCore, 'recallEvent'>, instanceId: string) =>
  query('admin.event.explain', {
    summary: 'What became of a durable event',
    description:
      'When it was committed and by whom, as the log has it; and whether the instance that answers announced it, handed it ' +
      'to the others and delivered it. An instance remembers some thousand of the newest events.',
    tag: 'Admin',
    http: 'GET /admin/events/:topic/:seq',
    takesTopic: true,
    roles: ['admin'],
    input: contract.EventQuery,
    output: contract.EventLife,
    refuses: ['not_found'],
    async run({ db }, { topic, seq: given }) {
      const seq = Number(given);
      const [logged] = await readEvents(db, topic, seq - 1, 1);
      if (logged?.seq !== seq && ((await readHeads(db, [topic])).get(topic) ?? 0) < seq) {
        throw new AppError('not_found', 'There is no such event: this topic has not come so far.');
      }
      return {
        topic,
        seq,
        log: logged?.seq === seq ? readLogged(logged.frame) : null,
        here: { instanceId, ...summarize(recallEvent(topic, seq)) },
      };
    },
  });

function readLogged(frame: string): contract.EventLife['log'] {
  const { id, type, at, meta } = JSON.parse(frame);
  const { actorId = null, source, correlationId = null } = meta;
  return { id, type, committedAt: at, actorId, source, correlationId };
}

function summarize(
  notes: ReturnType<ModuleCore['recallEvent']>,
): Omit<contract.EventLife['here'], 'instanceId'> {
  const when = (...marks: readonly string[]) => {
    const note = notes.find(({ mark }) => marks.includes(mark));
    return note === undefined ? null : new Date(note.at).toISOString();
  };
  const delivered = notes.find(({ mark }) => mark === 'delivered' || mark === 'healed');
  return {
    isRemembered: notes.length > 0,
    publishedAt: when('committed'),
    bridgedAt: when('bridged'),
    receivedAt: when('received'),
    deliveredAt: when('delivered', 'healed'),
    connections: delivered?.followers ?? 0,
    isHealed: delivered?.mark === 'healed',
  };
}

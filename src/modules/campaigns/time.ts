// World time: it goes forward only, and nobody's clock moves it.

import { eq } from 'drizzle-orm';
import { AppError } from '../../protocol/errors.ts';
import { command } from '../../realtime/index.ts';
import { lockCampaign } from './access.ts';
import { invalidate } from './changes.ts';
import { AdvanceTime, campaignTopic, WorldTimeChange } from './contract.ts';
import { changesPerMinute } from './limits.ts';
import { toWorldTime } from './rows.ts';
import { advance, requireInstant } from './rules.ts';
import { campaigns } from './schema.ts';
import { campaign } from './topics.ts';

export const advanceTime = command('campaign.time.advance', {
  summary: 'Let world time go on, as an editor',
  description:
    'By `advanceSeconds`, or `to` an instant ahead: exactly one of them. At most 100 years (of 365.25 days) a step, within ' +
    'the years 0001 to 9999. The version of the campaign stays what it is.',
  tag: 'Campaigns',
  http: 'POST /campaigns/:campaignId/time',
  takesKey: true, // sent again for lack of an answer, it must not go on twice
  status: 200,
  limit: changesPerMinute,
  input: AdvanceTime,
  output: WorldTimeChange,
  refuses: ['forbidden', 'not_found', 'conflict'],
  check: toStep,
  async run({ actor, tx, emit }, { campaignId, ...given }) {
    const { campaign: present } = await lockCampaign(tx, campaignId, actor.userId, 'editor');
    const change = advance(present.worldTime, toStep(given));
    await tx
      .update(campaigns)
      .set({ worldTime: toWorldTime(new Date(change.current)) })
      .where(eq(campaigns.id, campaignId));
    emit(campaign.on(campaignId), 'world-time.changed', change);
    invalidate(emit, campaignId, 'campaign', [`${campaignTopic(campaignId)}.time`], 'world-time.changed');
    return change;
  },
});

function toStep({ advanceSeconds, to }: Pick<AdvanceTime, 'advanceSeconds' | 'to'>) {
  if (advanceSeconds !== undefined && to === undefined) return { seconds: advanceSeconds };
  if (to !== undefined && advanceSeconds === undefined) return { to: requireInstant(to, '/to') };
  const message = 'Expected either advanceSeconds or to';
  throw new AppError('invalid', `World time goes by a step or to an instant. ${message}.`, {
    fields: [{ path: '/advanceSeconds', message }],
  });
}

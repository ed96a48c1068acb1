// The time of a world. It goes forward only, and for all members at once.

import { useCommand } from '../../client/react/index.ts';
import type { Campaign } from '../../modules/campaigns/contract.ts';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';

const steps = [
  ['1 hour', 3_600],
  ['1 day', 86_400],
  ['30 days', 30 * 86_400],
] as const;

export function WorldTime({ campaign, mayWrite }: { campaign: Campaign; mayWrite: boolean }) {
  const send = useCommand();
  const advance = useAction((advanceSeconds: number) =>
    send('campaign.time.advance', { campaignId: campaign.id, advanceSeconds }),
  );
  return (
    <section className="card world-time" aria-label="World time">
      <p aria-live="polite">
        <span className="subtitle">World time</span>
        <time dateTime={campaign.worldTime}>{toText(campaign.worldTime)}</time>
      </p>
      {mayWrite && (
        <div className="actions">
          {steps.map(([name, seconds]) => (
            <button
              key={name}
              type="button"
              disabled={advance.isBusy}
              onClick={() => void advance.run(seconds)}
            >
              + {name}
            </button>
          ))}
        </div>
      )}
      <Refusal error={advance.error} />
    </section>
  );
}

/** As it is there, not in the reader's own zone: `1203-04-05, 06:00`. */
const toText = (instant: string): string => instant.replace(/T(\d\d:\d\d).*$/, ', $1');

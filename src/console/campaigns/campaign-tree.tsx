// Kingdoms, their settlements, and the structures of those: as nested lists, with a place for a new one in each.

import { useCommand } from '../../client/react/index.ts';
import type { CampaignState } from '../../modules/campaigns/contract.ts';
import { linkTo } from '../route.ts';
import { AddChild } from './add-child.tsx';

interface CampaignTreeProps {
  readonly state: CampaignState;
  readonly mayWrite: boolean;
  readonly openId: string | undefined;
}

export function CampaignTree({ state, mayWrite, openId }: CampaignTreeProps) {
  const send = useCommand();
  const { campaign, kingdoms, settlements, structures } = state;
  const leaf = (kind: string, entity: { id: string; name: string }, detail?: string) => (
    <a
      className="leaf"
      href={linkTo('campaigns', campaign.id, kind, entity.id)}
      aria-current={entity.id === openId ? 'true' : undefined}
    >
      <span>{entity.name}</span>
      {detail !== undefined && <span className="subtitle">{detail}</span>}
    </a>
  );
  return (
    <section className="card tree" aria-label="The world">
      {kingdoms.length === 0 && <p className="hint">Nothing is here yet. A world begins with a kingdom.</p>}
      <ul>
        {kingdoms.map((kingdom) => (
          <li key={kingdom.id}>
            {leaf('kingdom', kingdom)}
            <ul>
              {settlements
                .filter(({ kingdomId }) => kingdomId === kingdom.id)
                .map((settlement) => (
                  <li key={settlement.id}>
                    {leaf('settlement', settlement, `level ${settlement.level}`)}
                    <ul>
                      {structures
                        .filter(({ settlementId }) => settlementId === settlement.id)
                        .map((structure) => (
                          <li key={structure.id}>
                            {leaf('structure', structure, `${structure.type}, level ${structure.level}`)}
                          </li>
                        ))}
                      {mayWrite && (
                        <li>
                          <AddChild
                            what="structure"
                            where={settlement.name}
                            hasType
                            onAdd={(name, type) =>
                              send('structure.create', { settlementId: settlement.id, name, type })
                            }
                          />
                        </li>
                      )}
                    </ul>
                  </li>
                ))}
              {mayWrite && (
                <li>
                  <AddChild
                    what="settlement"
                    where={kingdom.name}
                    onAdd={(name) => send('settlement.create', { kingdomId: kingdom.id, name })}
                  />
                </li>
              )}
            </ul>
          </li>
        ))}
      </ul>
      {mayWrite && (
        <AddChild
          what="kingdom"
          where={campaign.name}
          onAdd={(name) => send('kingdom.create', { campaignId: campaign.id, name })}
        />
      )}
    </section>
  );
}

// A campaign's state as a tree.

import type { CampaignState, CampaignTree } from './contract.ts';

export function toTree({ campaign, kingdoms, settlements, structures }: CampaignState): CampaignTree {
  const bySettlement = Map.groupBy(structures, ({ settlementId }) => settlementId);
  const byKingdom = Map.groupBy(settlements, ({ kingdomId }) => kingdomId);
  return {
    campaign,
    kingdoms: kingdoms.map((kingdom) => ({
      ...kingdom,
      settlements: (byKingdom.get(kingdom.id) ?? []).map((settlement) => ({
        ...settlement,
        structures: bySettlement.get(settlement.id) ?? [],
      })),
    })),
  };
}

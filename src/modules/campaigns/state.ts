// The states of the three kinds of topic as their subscribers see them, and how each event changes them. Pure and browser-safe.
// The law: apply over the events between two snapshots turns the first snapshot into the second. A topic whose entity was
// deleted has no snapshot any more: its state stays the last one.

import type { EventFrame } from '../../protocol/envelope.ts';
import { put } from '../../protocol/order.ts';
import type {
  CampaignEvent,
  CampaignState,
  Settlement,
  SettlementEvent,
  SettlementFace,
  Structure,
  StructureEvent,
  StructureFace,
} from './contract.ts';

export type { CampaignState };

type Frame = Pick<EventFrame, 'type' | 'payload'>;

/** Of `campaign:`; the given state is left as it is. Other events on the topic change nothing here. */
export function applyCampaign(state: CampaignState, frame: Frame): CampaignState {
  const event = frame as CampaignEvent; // the server's contract; whatever else comes falls through the switch
  switch (event.type) {
    case 'entity.updated':
      return applyEntity(state, event.payload);
    case 'settlement.updated': {
      const { entity } = event.payload;
      return entity === null
        ? state
        : { ...state, settlements: put(state.settlements, settlementFace(entity), idOf) };
    }
    case 'structure.updated': {
      const { entity } = event.payload;
      return entity === null
        ? state
        : { ...state, structures: put(state.structures, structureFace(entity), idOf) };
    }
    case 'world-time.changed':
      return { ...state, campaign: { ...state.campaign, worldTime: event.payload.current } };
    default:
      return state;
  }
}

/** Of `settlement:`. */
export function applySettlement(state: Settlement, frame: Frame): Settlement {
  const event = frame as SettlementEvent; // as above
  return event.type === 'settlement.updated' ? (event.payload.entity ?? state) : state;
}

/** Of `structure:`. */
export function applyStructure(state: Structure, frame: Frame): Structure {
  const event = frame as StructureEvent; // as above
  return event.type === 'structure.updated' ? (event.payload.entity ?? state) : state;
}

/** What a campaign shows of a settlement. */
export function settlementFace({ id, kingdomId, name, level, version }: SettlementFace): SettlementFace {
  return { id, kingdomId, name, level, version };
}

/** What a campaign shows of a structure. */
export function structureFace(structure: StructureFace): StructureFace {
  const { id, settlementId, name, type, level, version } = structure;
  return { id, settlementId, name, type, level, version };
}

type Change = Extract<CampaignEvent, { type: 'entity.updated' }>['payload'];

function applyEntity(state: CampaignState, change: Change): CampaignState {
  const { entityId } = change;
  switch (change.entityType) {
    case 'campaign': {
      const { operation, entity } = change;
      if (entity === null) return state;
      // The first event of all.
      if (operation === 'created')
        return { campaign: entity, members: [], kingdoms: [], settlements: [], structures: [] };
      return { ...state, campaign: entity };
    }
    case 'member':
      return { ...state, members: replace(state.members, entityId, change.entity, ({ userId }) => userId) };
    case 'kingdom':
      return { ...state, kingdoms: replace(state.kingdoms, entityId, change.entity, idOf) };
    case 'settlement': {
      const face = change.entity && settlementFace(change.entity);
      return { ...state, settlements: replace(state.settlements, entityId, face, idOf) };
    }
    case 'structure': {
      const face = change.entity && structureFace(change.entity);
      return { ...state, structures: replace(state.structures, entityId, face, idOf) };
    }
  }
}

const idOf = ({ id }: { readonly id: string }): string => id;

/** The list with the item in its place, or without the one that is gone. */
function replace<Item>(items: Item[], id: string, item: Item | null, keyOf: (item: Item) => string): Item[] {
  return item === null ? items.filter((other) => keyOf(other) !== id) : put(items, item, keyOf);
}

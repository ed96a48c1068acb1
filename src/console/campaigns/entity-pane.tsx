// The part of the tree that is open, as it is right now, to be changed.

import { useCommand, useTopic } from '../../client/react/index.ts';
import type { CampaignState, Role } from '../../modules/campaigns/contract.ts';
import { Loading } from '../parts/empty.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { goTo } from '../route.ts';
import { EntityForm } from './entity-form.tsx';

interface EntityPaneProps {
  readonly state: CampaignState;
  readonly kind: string;
  readonly entityId: string;
  readonly role: Role;
}

export function EntityPane({ state, kind, entityId, role }: EntityPaneProps) {
  const mayWrite = role !== 'viewer';
  switch (kind) {
    case 'campaign':
      return <CampaignPane state={state} mayWrite={mayWrite} isOwner={role === 'owner'} />;
    case 'kingdom':
      return <KingdomPane state={state} entityId={entityId} mayWrite={mayWrite} />;
    case 'settlement':
      return <SettlementPane state={state} entityId={entityId} mayWrite={mayWrite} />;
    case 'structure':
      return <StructurePane state={state} entityId={entityId} mayWrite={mayWrite} />;
    default:
      return null;
  }
}

interface PaneProps {
  readonly state: CampaignState;
  readonly entityId: string;
  readonly mayWrite: boolean;
}

function CampaignPane(props: Omit<PaneProps, 'entityId'> & { isOwner: boolean }) {
  const { state, mayWrite, isOwner } = props;
  const send = useCommand();
  const { id: campaignId } = state.campaign;
  return (
    <EntityForm
      kind="world"
      entity={state.campaign}
      mayWrite={mayWrite}
      onSave={(version, { name, description }) =>
        send('campaign.update', { campaignId, version, name, description })
      }
      onDelete={
        isOwner
          ? async () => {
              await send('campaign.delete', { campaignId });
              goTo('campaigns');
            }
          : undefined
      }
    />
  );
}

function KingdomPane({ state, entityId, mayWrite }: PaneProps) {
  const send = useCommand();
  const kingdom = state.kingdoms.find(({ id }) => id === entityId);
  if (kingdom === undefined) return <Gone kind="kingdom" />;
  return (
    <EntityForm
      kind="kingdom"
      entity={kingdom}
      mayWrite={mayWrite}
      onSave={(version, { name }) => send('kingdom.update', { kingdomId: entityId, version, name })}
      onDelete={() => send('kingdom.delete', { kingdomId: entityId })}
    />
  );
}

function SettlementPane({ entityId, mayWrite }: PaneProps) {
  const send = useCommand();
  const { state: settlement, status, error } = useTopic(`settlement:${entityId}`);
  if (status === 'ended') return <Gone kind="settlement" error={error} />;
  if (settlement === undefined) return <Loading what="the settlement" />;
  return (
    <EntityForm
      kind="settlement"
      entity={settlement}
      mayWrite={mayWrite}
      onSave={(version, { name, level, variables, variableSchemas }) =>
        send('settlement.update', {
          settlementId: entityId,
          version,
          name,
          level,
          variables,
          variableSchemas,
        })
      }
      onDelete={() => send('settlement.delete', { settlementId: entityId })}
    />
  );
}

function StructurePane({ entityId, mayWrite }: PaneProps) {
  const send = useCommand();
  const { state: structure, status, error } = useTopic(`structure:${entityId}`);
  if (status === 'ended') return <Gone kind="structure" error={error} />;
  if (structure === undefined) return <Loading what="the structure" />;
  return (
    <EntityForm
      kind="structure"
      entity={structure}
      mayWrite={mayWrite}
      onSave={(version, { name, type, level, variables, variableSchemas }) =>
        send('structure.update', {
          structureId: entityId,
          version,
          name,
          type,
          level,
          variables,
          variableSchemas,
        })
      }
      onDelete={() => send('structure.delete', { structureId: entityId })}
    />
  );
}

function Gone({ kind, error }: { kind: string; error?: unknown }) {
  return (
    <section className="card" aria-label={kind}>
      <p>This {kind} is gone.</p>
      <Refusal error={error} />
    </section>
  );
}

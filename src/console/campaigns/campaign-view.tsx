// One campaign: its time, its tree, and the part of it that is open.

import { useState } from 'react';
import { useTopic } from '../../client/react/index.ts';
import { Empty, Loading } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { DetailPane, PaneBody } from '../parts/pane.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { linkTo } from '../route.ts';
import { useMe } from '../session/use-session.tsx';
import { CampaignMembers } from './campaign-members.tsx';
import { CampaignTree } from './campaign-tree.tsx';
import { EntityPane } from './entity-pane.tsx';
import { WorldTime } from './world-time.tsx';

interface CampaignViewProps {
  readonly campaignId: string;
  readonly kind: string | undefined;
  readonly entityId: string | undefined;
}

export function CampaignView({ campaignId, kind, entityId }: CampaignViewProps) {
  const me = useMe();
  const { state, error, status } = useTopic(`campaign:${campaignId}`);
  const [hasMembers, setMembers] = useState(false);
  const back = linkTo('campaigns');
  if (state === undefined || status === 'ended') {
    return (
      <DetailPane title="World" back={back}>
        {error === undefined ? (
          <Loading what="the world" />
        ) : (
          <Empty icon="campaigns" title="This world is not yours to see, or is gone">
            <Refusal error={error} />
          </Empty>
        )}
      </DetailPane>
    );
  }
  const role = state.members.find(({ userId }) => userId === me.id)?.role ?? 'viewer';
  return (
    <DetailPane
      title={<a href={linkTo('campaigns', campaignId, 'campaign', campaignId)}>{state.campaign.name}</a>}
      subtitle={`You are ${role === 'viewer' ? 'a' : role === 'editor' ? 'an' : 'the'} ${role}`}
      back={back}
      actions={
        <button type="button" className="quiet" onClick={() => setMembers(true)}>
          <Icon name="people" /> <span className="wide">Members</span>
        </button>
      }
    >
      <PaneBody>
        <WorldTime campaign={state.campaign} mayWrite={role !== 'viewer'} />
        <div className="board">
          <CampaignTree state={state} mayWrite={role !== 'viewer'} openId={entityId} />
          {kind !== undefined && entityId !== undefined && (
            <EntityPane key={entityId} state={state} kind={kind} entityId={entityId} role={role} />
          )}
        </div>
      </PaneBody>
      {hasMembers && (
        <CampaignMembers state={state} isOwner={role === 'owner'} onClose={() => setMembers(false)} />
      )}
    </DetailPane>
  );
}

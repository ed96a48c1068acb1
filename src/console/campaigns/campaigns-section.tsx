// Campaigns: those one is a member of, and the one that is open.

import { useState } from 'react';
import type { CampaignPage } from '../../client/index.ts';
import { useCommand, useEvent } from '../../client/react/index.ts';
import { Empty, Loading } from '../parts/empty.tsx';
import { Icon } from '../parts/icon.tsx';
import { ListPane } from '../parts/pane.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { type Answer, useAnswer } from '../parts/use-answer.ts';
import { goTo, linkTo, useRoute } from '../route.ts';
import { CampaignView } from './campaign-view.tsx';
import { NewCampaign } from './new-campaign.tsx';

export function CampaignsSection() {
  const [, campaignId, kind, entityId] = useRoute();
  const send = useCommand();
  const [isNew, setNew] = useState(false);
  const list = useAnswer('campaigns', () => send('campaign.list', { limit: 100 }));
  useEvent('campaign.added', list.reload);
  useEvent('campaign.removed', list.reload);
  useEvent('entity.updated', ({ payload }) => {
    if (payload.entityType === 'campaign') list.reload();
  });
  return (
    <>
      <ListPane
        title="Worlds"
        actions={
          <button type="button" className="primary" onClick={() => setNew(true)}>
            <Icon name="plus" /> New world
          </button>
        }
      >
        <CampaignItems list={list} openId={campaignId} />
      </ListPane>
      {campaignId === undefined ? (
        <section className="pane detail-pane">
          <Empty icon="campaigns" title="No world is open">
            <p>
              Choose a campaign from the list, or begin one: what one member changes, all others see at once.
            </p>
          </Empty>
        </section>
      ) : (
        <CampaignView key={campaignId} campaignId={campaignId} kind={kind} entityId={entityId} />
      )}
      {isNew && (
        <NewCampaign
          onClose={() => setNew(false)}
          onMade={(id) => {
            setNew(false);
            list.reload();
            goTo('campaigns', id);
          }}
        />
      )}
    </>
  );
}

function CampaignItems({ list, openId }: { list: Answer<CampaignPage>; openId: string | undefined }) {
  if (list.data === undefined) {
    return list.error === undefined ? <Loading what="worlds" /> : <Refusal error={list.error} />;
  }
  if (list.data.items.length === 0) {
    return (
      <Empty icon="campaigns" title="No worlds yet">
        <p>A campaign has kingdoms with settlements with structures, and a time of its own.</p>
      </Empty>
    );
  }
  return (
    <ul className="items">
      {list.data.items.map(({ id, name, role, description }) => (
        <li key={id}>
          <a
            className="item"
            href={linkTo('campaigns', id)}
            aria-current={id === openId ? 'true' : undefined}
          >
            <span className="item-text">
              <span className="item-line">
                <b className="item-name">{name}</b>
                <span className="tag">{role}</span>
              </span>
              <span className="preview">{description}</span>
            </span>
          </a>
        </li>
      ))}
    </ul>
  );
}

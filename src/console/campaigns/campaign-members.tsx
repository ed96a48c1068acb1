// Who builds a world together. The owner says who; everybody else may leave.

import { useCommand } from '../../client/react/index.ts';
import type { CampaignState } from '../../modules/campaigns/contract.ts';
import { Avatar } from '../parts/avatar.tsx';
import { ConfirmButton } from '../parts/confirm-button.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import { useNames } from '../people/use-people.tsx';
import { UserPicker } from '../people/user-picker.tsx';
import { goTo } from '../route.ts';
import { useMe } from '../session/use-session.tsx';

interface CampaignMembersProps {
  readonly state: CampaignState;
  readonly isOwner: boolean;
  readonly onClose: () => void;
}

export function CampaignMembers({ state: { campaign, members }, isOwner, onClose }: CampaignMembersProps) {
  const me = useMe();
  const nameOf = useNames();
  const send = useCommand();
  const campaignId = campaign.id;
  const change = useAction((act: () => Promise<unknown>) => act());
  return (
    <Dialog title="Members" onClose={onClose}>
      <ul className="rows">
        {members.map(({ userId, role }) => (
          <li key={userId} className="row">
            <Avatar id={userId} name={nameOf(userId)} />
            <span className="grow">
              {nameOf(userId)}
              {userId === me.id && ' (you)'}
            </span>
            {isOwner && role !== 'owner' ? (
              <>
                <select
                  aria-label={`Role of ${nameOf(userId)}`}
                  className="role"
                  value={role}
                  onChange={({ target: { value } }) =>
                    void change.run(() =>
                      send('campaign.member.update', {
                        campaignId,
                        userId,
                        role: value === 'editor' ? 'editor' : 'viewer',
                      }),
                    )
                  }
                >
                  <option>editor</option>
                  <option>viewer</option>
                </select>
                <ConfirmButton
                  question="Really hand over?"
                  isBusy={change.isBusy}
                  onConfirm={() =>
                    void change.run(() => send('campaign.owner.change', { campaignId, userId }))
                  }
                >
                  Make owner
                </ConfirmButton>
                <button
                  type="button"
                  className="quiet danger"
                  onClick={() =>
                    void change.run(() => send('campaign.member.remove', { campaignId, userId }))
                  }
                >
                  Remove
                </button>
              </>
            ) : (
              <span className="tag">{role}</span>
            )}
          </li>
        ))}
      </ul>
      <Refusal error={change.error} />
      {isOwner ? (
        <UserPicker
          label="Add somebody, as an editor"
          without={members.map(({ userId }) => userId)}
          onPick={({ id }) =>
            void change.run(() => send('campaign.member.add', { campaignId, userId: id, role: 'editor' }))
          }
        />
      ) : (
        <button
          type="button"
          className="danger"
          onClick={async () => {
            const hasLeft = await change.run(() =>
              send('campaign.member.remove', { campaignId, userId: me.id }),
            );
            if (hasLeft) goTo('campaigns');
          }}
        >
          Leave this world
        </button>
      )}
    </Dialog>
  );
}

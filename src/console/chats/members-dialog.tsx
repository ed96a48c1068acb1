// Who is in a chat: who of them is here, and for the admins of a group, who comes and goes.

import { type FormEvent, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import type { ChatState } from '../../modules/chat/contract.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Dialog } from '../parts/dialog.tsx';
import { Field } from '../parts/field.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import { useNames } from '../people/use-people.tsx';
import { UserPicker } from '../people/user-picker.tsx';
import { goTo } from '../route.ts';
import { useMe } from '../session/use-session.tsx';

interface MembersDialogProps {
  readonly state: Pick<ChatState, 'chat' | 'members'>;
  readonly here: ReadonlySet<string>;
  readonly onClose: () => void;
}

export function MembersDialog({ state: { chat, members }, here, onClose }: MembersDialogProps) {
  const me = useMe();
  const nameOf = useNames();
  const send = useCommand();
  const chatId = chat.id;
  const isGroup = chat.type === 'group';
  const isAdmin = isGroup && members.some(({ userId, role }) => userId === me.id && role === 'admin');
  const [name, setName] = useState(chat.name ?? '');
  const change = useAction((act: () => Promise<unknown>) => act());
  const rename = (event: FormEvent): void => {
    event.preventDefault();
    void change.run(() => send('chat.rename', { chatId, name: name.trim() }));
  };
  const remove = (userId: string) => change.run(() => send('member.remove', { chatId, userId }));
  return (
    <Dialog title="Members" onClose={onClose}>
      <ul className="rows">
        {members.map(({ userId, role }) => (
          <li key={userId} className="row">
            <Avatar id={userId} name={nameOf(userId)} isHere={here.has(userId)} />
            <span className="grow">
              {nameOf(userId)}
              {userId === me.id && ' (you)'}
              {here.has(userId) && <span className="visually-hidden"> is here</span>}
            </span>
            {role === 'admin' && <span className="tag">admin</span>}
            {isAdmin && userId !== me.id && (
              <>
                <button
                  type="button"
                  className="quiet"
                  onClick={() =>
                    void change.run(() =>
                      send('member.update', { chatId, userId, role: role === 'admin' ? 'member' : 'admin' }),
                    )
                  }
                >
                  {role === 'admin' ? 'No admin' : 'Make admin'}
                </button>
                <button type="button" className="quiet danger" onClick={() => void remove(userId)}>
                  Remove
                </button>
              </>
            )}
          </li>
        ))}
      </ul>
      <Refusal error={change.error} />
      {isAdmin && (
        <>
          <UserPicker
            label="Add somebody"
            without={members.map(({ userId }) => userId)}
            onPick={({ id }) => void change.run(() => send('member.add', { chatId, userId: id }))}
          />
          <form className="inline" onSubmit={rename} aria-label="Name of the group">
            <Field
              label="Name of the group"
              required
              maxLength={100}
              value={name}
              onChange={(event) => setName(event.target.value)}
            />
            <button type="submit" disabled={change.isBusy || name.trim() === chat.name}>
              Rename
            </button>
          </form>
        </>
      )}
      {isGroup && (
        <button
          type="button"
          className="danger"
          onClick={async () => {
            if (await remove(me.id)) goTo('chats');
          }}
        >
          Leave the group
        </button>
      )}
    </Dialog>
  );
}

// Who is logged in: the name that others see, and the way out.

import { type FormEvent, useState } from 'react';
import { useCommand } from '../../client/react/index.ts';
import { Avatar } from '../parts/avatar.tsx';
import { Field } from '../parts/field.tsx';
import { Icon } from '../parts/icon.tsx';
import { DetailPane, PaneBody } from '../parts/pane.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import { useNames } from '../people/use-people.tsx';
import { useMe, useSession } from '../session/use-session.tsx';
import { SessionList } from './session-list.tsx';

export function AccountSection() {
  const me = useMe();
  const nameOf = useNames();
  const session = useSession();
  const send = useCommand();
  const [name, setName] = useState(nameOf(me.id) === '–' ? me.name : nameOf(me.id));
  const rename = useAction(() => send('user.update', { name: name.trim() }));
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    void rename.run();
  };
  return (
    <DetailPane title="Account">
      <PaneBody isNarrow>
        <p className="who">
          <Avatar id={me.id} name={nameOf(me.id)} />
          <span>
            <b>{nameOf(me.id)}</b>
            <br />
            <span className="subtitle">{me.email}</span>
          </span>
        </p>
        <form className="card" onSubmit={submit} aria-label="Your name">
          <Field
            label="Name"
            required
            maxLength={80}
            value={name}
            onChange={(event) => setName(event.target.value)}
            hint="As others see it, at once."
          />
          <Refusal error={rename.error} />
          <button type="submit" disabled={rename.isBusy || name.trim() === nameOf(me.id)}>
            Rename me
          </button>
        </form>
        <SessionList />
        <button type="button" onClick={() => void session.logout()}>
          <Icon name="leave" /> Log out
        </button>
      </PaneBody>
    </DetailPane>
  );
}

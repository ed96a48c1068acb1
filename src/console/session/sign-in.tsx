// The way in: a new account, or one that is there.

import { type FormEvent, useState } from 'react';
import { Field } from '../parts/field.tsx';
import { Refusal } from '../parts/refusal.tsx';
import { useAction } from '../parts/use-action.ts';
import { useSession } from './use-session.tsx';

type Way = 'register' | 'login';

export function SignIn({ notice }: { notice: string | undefined }) {
  const session = useSession();
  const [way, setWay] = useState<Way>(notice === undefined ? 'register' : 'login');
  const isNew = way === 'register';
  const enter = useAction(async (form: FormData) => {
    const account = { email: textOf(form, 'email').trim(), password: textOf(form, 'password') };
    if (isNew) await session.register({ ...account, name: textOf(form, 'name').trim() });
    else await session.login(account);
  });
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    void enter.run(new FormData(event.currentTarget));
  };
  return (
    <main className="lobby">
      <h1>Carillon</h1>
      <p className="lead">
        Chats, offers, jobs, a game and campaigns, live. Every envelope can be looked at.
      </p>
      {notice !== undefined && <p className="notice">{notice}</p>}
      <form className="card" onSubmit={submit} aria-label={isNew ? 'Sign up' : 'Log in'}>
        <fieldset className="switch">
          <legend className="visually-hidden">New here?</legend>
          <button type="button" aria-pressed={isNew} onClick={() => setWay('register')}>
            Sign up
          </button>
          <button type="button" aria-pressed={!isNew} onClick={() => setWay('login')}>
            Log in
          </button>
        </fieldset>
        {isNew && <Field label="Name" name="name" required maxLength={80} autoComplete="name" />}
        <Field label="E-mail" name="email" type="email" required maxLength={254} autoComplete="email" />
        <Field
          label="Password"
          name="password"
          type="password"
          required
          minLength={isNew ? 10 : 1}
          maxLength={128}
          autoComplete={isNew ? 'new-password' : 'current-password'}
          hint={isNew ? 'At least 10 characters.' : undefined}
        />
        <Refusal error={enter.error} />
        <button type="submit" className="primary" disabled={enter.isBusy}>
          {isNew ? 'Create my account' : 'Log me in'}
        </button>
      </form>
      <p className="hint">
        For programs: <a href="/swagger">HTTP routes</a>, <a href="/asyncapi">socket</a>
      </p>
    </main>
  );
}

const textOf = (form: FormData, name: string): string => String(form.get(name) ?? '');

// Names for components. A new name comes by `profile.updated` of whatever topic knows the user.

import { createContext, type ReactNode, useContext, useEffect, useState } from 'react';
import { useCommand, useEvent } from '../../client/react/index.ts';
import { useMe } from '../session/use-session.tsx';
import { createPeople, type People } from './people.ts';

const PeopleContext = createContext<People | undefined>(undefined);

export function PeopleProvider({ children }: { children: ReactNode }) {
  const send = useCommand();
  const me = useMe();
  const [people] = useState(() =>
    createPeople(async (ids) => (await send('user.find', { ids: ids.join(',') })).items),
  );
  useEffect(() => people.learn(me), [people, me]);
  useEvent('profile.updated', ({ payload }) => people.learn(payload));
  return <PeopleContext value={people}>{children}</PeopleContext>;
}

/** Answers the name of any user: a dash as long as it is not known. */
export function useNames(): (id: string) => string {
  const people = useContext(PeopleContext);
  if (people === undefined) throw new Error('useNames needs a PeopleProvider above it.');
  const [, setTurn] = useState(0);
  useEffect(() => people.subscribe(() => setTurn((turn) => turn + 1)), [people]);
  return (id) => people.get(id) ?? '–';
}

// The frame around every section: the rail, the section, the inspector, and how the connection is.

import { useEffect, useState } from 'react';
import { useTopic } from '../../client/react/index.ts';
import { CampaignsSection } from '../campaigns/campaigns-section.tsx';
import { ChatListProvider } from '../chats/chat-list-provider.tsx';
import { ChatsSection } from '../chats/chats-section.tsx';
import { GameSection } from '../game/game-section.tsx';
import { Inspector } from '../inspector/inspector.tsx';
import type { Journal } from '../inspector/journal.ts';
import { JobsSection } from '../jobs/jobs-section.tsx';
import { Empty, Loading } from '../parts/empty.tsx';
import { PeopleProvider } from '../people/use-people.tsx';
import { useRoute } from '../route.ts';
import { useMe } from '../session/use-session.tsx';
import { AccountSection } from './account-section.tsx';
import { ConnectionBar } from './connection-bar.tsx';
import { Rail } from './rail.tsx';
import { type Modules, useModules } from './use-modules.ts';

export function Shell({ journal }: { journal: Journal }) {
  const me = useMe();
  const modules = useModules();
  const route = useRoute();
  const [isInspecting, setInspecting] = useState(false);
  useTopic(`user:${me.id}`); // what concerns this user alone: unread counts, invitations, offers
  const section = route[0] ?? modules?.sections[0] ?? 'chats';
  useEffect(() => {
    document.title = `${section.slice(0, 1).toUpperCase()}${section.slice(1)} · Carillon`;
  }, [section]);
  return (
    <PeopleProvider>
      <ChatListProvider isOn={modules?.sections.includes('chats') ?? false}>
        <div className={`shell${isInspecting ? ' inspecting' : ''}`}>
          <Rail
            section={section}
            sections={modules?.sections ?? []}
            isInspecting={isInspecting}
            onInspect={() => setInspecting(!isInspecting)}
          />
          <main id="section" tabIndex={-1} className={route.length > 1 ? 'has-detail' : ''}>
            <ConnectionBar />
            <div className="section">
              <Section name={section} modules={modules} />
            </div>
          </main>
          {isInspecting && <Inspector journal={journal} onClose={() => setInspecting(false)} />}
        </div>
      </ChatListProvider>
    </PeopleProvider>
  );
}

function Section({ name, modules }: { name: string; modules: Modules | undefined }) {
  if (name === 'account') return <AccountSection />;
  if (modules === undefined) return <Loading what="the console" />;
  if (!modules.sections.some((section) => section === name)) {
    return (
      <Empty icon="inspector" title="This server has no such section.">
        <p>It may be switched off there: see MODULES in its configuration.</p>
      </Empty>
    );
  }
  switch (name) {
    case 'jobs':
      return <JobsSection />;
    case 'game':
      return <GameSection />;
    case 'campaigns':
      return <CampaignsSection />;
    default:
      return <ChatsSection hasOffers={modules.hasOffers} />;
  }
}

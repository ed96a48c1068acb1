// The way between the sections: at the side, and on a phone at the bottom.

import { useChatList } from '../chats/chat-list-provider.tsx';
import { Icon } from '../parts/icon.tsx';
import { linkTo } from '../route.ts';
import { ThemeSwitch } from './theme.tsx';
import type { SectionName } from './use-modules.ts';

interface RailProps {
  readonly section: string;
  readonly sections: readonly SectionName[];
  readonly isInspecting: boolean;
  readonly onInspect: () => void;
}

const names: Record<SectionName | 'account', string> = {
  chats: 'Chats',
  jobs: 'Jobs',
  game: 'Game',
  campaigns: 'Worlds',
  account: 'Account',
};

export function Rail({ section, sections, isInspecting, onInspect }: RailProps) {
  const { unread } = useChatList();
  return (
    <nav className="rail" aria-label="Sections">
      <button type="button" className="skip" onClick={() => document.getElementById('section')?.focus()}>
        Skip to the content
      </button>
      {[...sections, 'account' as const].map((name) => (
        <a
          key={name}
          className="rail-item"
          href={linkTo(name)}
          aria-current={name === section ? 'page' : undefined}
        >
          <Icon name={name} />
          <span>{names[name]}</span>
          {name === 'chats' && unread > 0 && (
            <span className="badge">
              {unread}
              <span className="visually-hidden"> unread</span>
            </span>
          )}
        </a>
      ))}
      <div className="rail-end">
        <ThemeSwitch />
        <button type="button" className="rail-item" aria-pressed={isInspecting} onClick={onInspect}>
          <Icon name="inspector" />
          <span>Inspect</span>
        </button>
      </div>
    </nav>
  );
}

// The two panes of a section: a list, and what is chosen there. On a phone one of them is seen at a time.

import type { ReactNode } from 'react';
import { Icon } from './icon.tsx';

interface PaneProps {
  readonly title: ReactNode;
  readonly actions?: ReactNode;
  readonly children: ReactNode;
}

export function ListPane({ title, actions, children }: PaneProps) {
  return (
    <section className="pane list-pane">
      <header className="pane-header">
        <h1>{title}</h1>
        <div className="actions">{actions}</div>
      </header>
      <div className="pane-body">{children}</div>
    </section>
  );
}

/** `back`: where the list is. */
export function DetailPane({
  title,
  subtitle,
  back,
  actions,
  children,
}: PaneProps & { subtitle?: ReactNode; back?: string }) {
  return (
    <section className="pane detail-pane">
      <header className="pane-header">
        {back !== undefined && (
          <a className="button quiet square back" href={back} aria-label="Back to the list">
            <Icon name="back" />
          </a>
        )}
        <div className="pane-title">
          <h2>{title}</h2>
          {subtitle !== undefined && <p className="subtitle">{subtitle}</p>}
        </div>
        <div className="actions">{actions}</div>
      </header>
      {children}
    </section>
  );
}

/** What scrolls in a detail: a keyboard reaches it, also where there is nothing in it to be pressed. */
export function PaneBody({ isNarrow = false, children }: { isNarrow?: boolean; children: ReactNode }) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: as said above
    <div className={isNarrow ? 'pane-body narrow' : 'pane-body'} tabIndex={0}>
      {children}
    </div>
  );
}

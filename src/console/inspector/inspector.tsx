// Shows every envelope in and out, with its topic and seq; the newest at the top.

import { useMemo, useState, useSyncExternalStore } from 'react';
import { Icon } from '../parts/icon.tsx';
import { type Entry, filterEntries, type Journal } from './journal.ts';

interface InspectorProps {
  readonly journal: Journal;
  readonly onClose: () => void;
}

export function Inspector({ journal, onClose }: InspectorProps) {
  const present = useSyncExternalStore(journal.subscribe, journal.getSnapshot);
  const [held, setHeld] = useState<readonly Entry[] | undefined>(undefined);
  const [filter, setFilter] = useState('');
  const entries = held ?? present;
  const shown = useMemo(() => filterEntries(entries, filter).toReversed(), [entries, filter]);
  const topics = useMemo(() => [...new Set(entries.flatMap(({ topic }) => topic ?? []))].sort(), [entries]);
  return (
    <aside className="inspector" aria-label="Inspector">
      <header className="pane-header">
        <h2>Inspector</h2>
        <div className="actions">
          <button
            type="button"
            className="quiet"
            aria-pressed={held !== undefined}
            onClick={() => setHeld(held === undefined ? present : undefined)}
          >
            Pause
          </button>
          <button
            type="button"
            className="quiet"
            onClick={() => {
              journal.clear();
              setHeld(undefined);
            }}
          >
            Clear
          </button>
          <button type="button" className="quiet square" aria-label="Close the inspector" onClick={onClose}>
            <Icon name="close" />
          </button>
        </div>
      </header>
      <div className="inspector-filter">
        <input
          type="search"
          aria-label="Filter by topic or type"
          placeholder="Filter by topic or type"
          list="inspector-topics"
          value={filter}
          onChange={(event) => setFilter(event.target.value)}
        />
        <datalist id="inspector-topics">
          {topics.map((topic) => (
            <option key={topic} value={topic} />
          ))}
        </datalist>
        <p className="hint">
          {shown.length} of {entries.length} envelopes
        </p>
      </div>
      <ol className="envelopes" reversed>
        {shown.map((entry) => (
          <Envelope key={entry.number} entry={entry} />
        ))}
      </ol>
    </aside>
  );
}

const directionNames = { in: 'received', out: 'sent' };

function Envelope({ entry: { direction, type, answers, topic, seq, at, frame } }: { entry: Entry }) {
  const [isOpen, setOpen] = useState(false);
  const isError = type === 'error';
  return (
    <li className={`envelope ${direction}${isError ? ' failed' : ''}`}>
      <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
        <span className="direction" aria-hidden="true">
          {direction === 'in' ? '←' : '→'}
        </span>
        <span className="visually-hidden">{directionNames[direction]}</span>
        <span className="type">
          {type}
          {answers !== undefined && <span className="answers"> to {answers}</span>}
        </span>
        {seq !== undefined && <span className="seq">seq {seq}</span>}
        <time dateTime={at.toISOString()}>{at.toLocaleTimeString([], { hour12: false })}</time>
        {topic !== undefined && <span className="topic">{topic}</span>}
      </button>
      {isOpen && <pre>{JSON.stringify(frame, null, 2)}</pre>}
    </li>
  );
}

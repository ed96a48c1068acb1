// Light, dark, or as the system has it. The choice stays in this browser.

import { useState } from 'react';
import { Icon } from '../parts/icon.tsx';

const themes = ['system', 'light', 'dark'] as const;
type Theme = (typeof themes)[number];

const names: Record<Theme, string> = { system: 'System', light: 'Light', dark: 'Dark' };

const storageKey = 'carillon.theme';

/** Before anything is shown. */
export function applyStoredTheme(): void {
  applyTheme(readTheme());
}

export function ThemeSwitch() {
  const [theme, setTheme] = useState(readTheme);
  const next = themes[(themes.indexOf(theme) + 1) % themes.length] ?? 'system';
  return (
    <button
      type="button"
      className="rail-item"
      title="Colours"
      onClick={() => {
        localStorage.setItem(storageKey, next);
        applyTheme(next);
        setTheme(next);
      }}
    >
      <Icon name="theme" />
      <span>
        <span className="visually-hidden">Colours: </span>
        {names[theme]}
      </span>
    </button>
  );
}

function readTheme(): Theme {
  const stored = localStorage.getItem(storageKey);
  return themes.find((theme) => theme === stored) ?? 'system';
}

function applyTheme(theme: Theme): void {
  if (theme === 'system') document.documentElement.removeAttribute('data-theme');
  else document.documentElement.dataset.theme = theme;
}

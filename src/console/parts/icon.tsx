// The few pictures of the console, drawn with the colour of the text around them. What they mean is said beside them.

const paths = {
  chats: 'M4 5h16v11H9l-4 4v-4H4z',
  jobs: 'M12 8v5l3 2 M12 3a9 9 0 1 0 0 18a9 9 0 0 0 0-18z',
  game: 'M4 5h16v11H4z M9 20h6 M12 16v4 M8 9l2 2-2 2 M12.500 13H16',
  campaigns: 'M4 20V9l4-3 4 3 4-3 4 3v11z M10 20v-5h4v5',
  account: 'M12 12a4 4 0 1 0 0-8a4 4 0 0 0 0 8z M4 20a8 8 0 0 1 16 0',
  inspector: 'M4 6h16 M4 12h10 M4 18h13',
  close: 'M6 6l12 12 M18 6L6 18',
  back: 'M14 6l-6 6 6 6',
  plus: 'M12 5v14 M5 12h14',
  more: 'M6 12h.01 M12 12h.01 M18 12h.01',
  send: 'M4 12l16-7-6 15-3-6z',
  people:
    'M9 11a3 3 0 1 0 0-6a3 3 0 0 0 0 6z M3 19a6 6 0 0 1 12 0 M16 5.500a3 3 0 0 1 0 5 M18 14a6 6 0 0 1 3 5',
  offer: 'M4 12V4h8l8 8-8 8z M8 8h.01',
  down: 'M12 5v14 M6 13l6 6 6-6',
  theme: 'M12 3a9 9 0 1 0 0 18z M12 3a9 9 0 0 1 0 18',
  leave: 'M14 4h5v16h-5 M10 8l-4 4 4 4 M6 12h9',
} as const;

export type IconName = keyof typeof paths;

export function Icon({ name }: { name: IconName }) {
  return (
    <svg className="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={paths[name]} />
    </svg>
  );
}

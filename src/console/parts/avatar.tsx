// A user as two letters on a colour of their own. Pictures of other origins are never loaded: they would learn of the reader.

interface AvatarProps {
  readonly id: string;
  readonly name: string;
  readonly isHere?: boolean;
}

const hues = 8;

export function Avatar({ id, name, isHere = false }: AvatarProps) {
  return (
    <span className={`avatar hue-${hueOf(id)}`} aria-hidden="true">
      {initialsOf(name)}
      {isHere && <span className="here" />}
    </span>
  );
}

function initialsOf(name: string): string {
  const [first = '', last = ''] = name.trim().split(/\s+/);
  return (
    [...first]
      .slice(0, 1)
      .concat([...last].slice(0, 1))
      .join('')
      .toUpperCase() || '?'
  );
}

function hueOf(id: string): number {
  let sum = 0;
  for (const character of id) sum = (sum * 31 + (character.codePointAt(0) ?? 0)) % 9_973;
  return sum % hues;
}

export function GameSection() {
  return null;
}

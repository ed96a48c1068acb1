export function CampaignsSection() {
  return null;
}

# What has rings, what is heaviest, how many moons there are.
{
  rings: [.planets[] | select(.rings) | .name],
  heaviest: (.planets | max_by(.mass) | .name),
  moons: ([.planets[].moons] | add),
  "light takes (min)": (.planets | map({(.name): (.distance / 17.987547 * 10 | round / 10)}) | add)
}

-- How well a Region, a KafkaCluster, a KafkaTopic or a KafkaMirror is, for Argo CD:
-- resource.customizations.health.<group>_<kind> in argocd-cm (argocd-cm.yaml beside this file has it for all four).
--
-- What nobody has looked at since it changed is Progressing, never Healthy: a sync does not pass before its time.
local health = {status = "Progressing", message = "No operator has looked at it yet."}
if obj.status == nil or obj.status.conditions == nil then
  return health
end
local generation = obj.metadata.generation or 0
if (obj.status.observedGeneration or 0) < generation then
  health.message = "The change of generation " .. string.format("%d", generation) .. " has not been looked at yet."
  return health
end
local conditions = {}
for _, condition in ipairs(obj.status.conditions) do
  conditions[condition.type] = condition
end
local function is(type, status)
  return conditions[type] ~= nil and conditions[type].status == status
end
if is("Stalled", "True") then
  return {status = "Degraded", message = conditions.Stalled.message}
end
if is("Reconciling", "True") then
  return {status = "Progressing", message = conditions.Reconciling.message}
end
if is("Ready", "True") then
  return {status = "Healthy", message = conditions.Ready.message}
end
if is("Ready", "Unknown") then
  return {status = "Unknown", message = conditions.Ready.message}
end
if is("Ready", "False") then
  return {status = "Degraded", message = conditions.Ready.message}
end
return health

targetScope = 'subscription'

import { names, token } from 'modules/names.bicep'
import { Settings } from 'modules/types.bicep'

@minLength(1)
@maxLength(60)
@description('Names the resource group, and everything else together with the subscription and the location.')
param environmentName string

param location string
param settings Settings

@description('Who deploys, to be allowed to make API keys; nobody if empty.')
param operatorPrincipal string

@secure()
@description('What webhooks are signed with: whsec_ and 24 to 64 bytes in base64; none if empty.')
param webhookKey string

@description('The worker\'s image; where there is none yet, no worker is deployed.')
param workerImage string

@description('The gateway\'s image; where there is none yet, no gateway is deployed, or on a Premium plan one without functions.')
param gatewayImage string

@description('The first of the month in which the budget began, such as 2026-12-01; empty for this month.')
param budgetStart string

param thisMonth string = utcNow('yyyy-MM-01')
var its = names(environmentName, token(subscription().subscriptionId, environmentName, location))
var tags = { ...settings.tags, 'azd-env-name': environmentName }
var isPremium = settings.gatewayHome == 'premium'
var emptyHost = 'mcr.microsoft.com/azure-functions/dotnet-isolated:4-dotnet-isolated10.0'
var budgetBegan = empty(budgetStart) ? thisMonth : budgetStart

resource group 'Microsoft.Resources/resourceGroups@2025-04-01' = {
  name: its.group
  location: location
  tags: tags
}

module identities 'modules/identities.bicep' = {
  scope: group
  params: { names: its, location: location, tags: tags }
}

module storage 'modules/storage.bicep' = {
  scope: group
  params: { names: its, location: location, tags: tags, settings: settings }
}

module storageAccess 'modules/storage-access.bicep' = {
  scope: group
  params: {
    names: its
    principals: identities.outputs.principals
    operatorPrincipal: operatorPrincipal
    settings: settings
  }
  dependsOn: [storage]
}

module serviceBus 'modules/servicebus.bicep' = if (settings.transport == 'servicebus') {
  scope: group
  params: { names: its, location: location, tags: tags, principals: identities.outputs.principals, routes: settings.worker.routes }
}

module registry 'modules/registry.bicep' = {
  scope: group
  params: { names: its, location: location, tags: tags, principals: identities.outputs.principals }
}

module monitoring 'modules/monitoring.bicep' = {
  scope: group
  params: {
    names: its
    location: location
    tags: tags
    retentionDays: settings.logRetentionDays
    principals: identities.outputs.principals
  }
}

module vault 'modules/vault.bicep' = {
  scope: group
  params: {
    names: its
    location: location
    tags: tags
    principals: identities.outputs.principals
    operatorPrincipal: operatorPrincipal
    webhookKey: webhookKey
  }
}

module environment 'modules/environment.bicep' = {
  scope: group
  params: { names: its, location: location, tags: tags, gpu: settings.gpu }
  dependsOn: [monitoring]
}

module alerts 'modules/alerts.bicep' = {
  scope: group
  params: { names: its, location: location, tags: tags, settings: settings }
  dependsOn: [monitoring]
}

module budget 'modules/budget.bicep' = if (settings.monthlyBudget > 0) {
  scope: group
  params: { names: its, monthly: settings.monthlyBudget, mails: settings.mails, start: budgetBegan }
}

module worker 'worker.bicep' = if (!empty(workerImage)) {
  scope: group
  params: { environmentName: environmentName, location: location, settings: settings, image: workerImage }
  dependsOn: [environment, monitoring, registry, serviceBus, storageAccess, vault]
}

module gateway 'gateway.bicep' = if (!isPremium && !empty(gatewayImage)) {
  scope: group
  params: { environmentName: environmentName, location: location, settings: settings, image: gatewayImage }
  dependsOn: [environment, monitoring, registry, serviceBus, storageAccess, vault]
}

module premium 'modules/premium.bicep' = if (isPremium) {
  scope: group
  params: {
    names: its
    location: location
    tags: tags
    settings: settings
    image: empty(gatewayImage) ? emptyHost : gatewayImage
  }
  dependsOn: [monitoring, registry, serviceBus, storageAccess, vault]
}

output AZURE_RESOURCE_GROUP string = group.name
output AZURE_CONTAINER_REGISTRY_ENDPOINT string = registry.outputs.endpoint
output R1_BUDGET_START string = budgetBegan
output R1_KEYS string = vault.outputs.keys
output R1_MODELS string = storage.outputs.models
output R1_WORKER_GPU string = settings.gpu == 'none' ? 'false' : 'true'
output R1_GATEWAY_ON_CONTAINERAPPS string = isPremium ? 'false' : 'true'
output R1_GATEWAY_ON_PREMIUM string = isPremium ? 'true' : 'false'

var url = isPremium ? premium!.outputs.url : empty(gatewayImage) ? '' : gateway!.outputs.R1_URL
output R1_URL string = url
@description('Where OpenAI\'s SDKs call, which read this very variable; with a key as OPENAI_API_KEY, or as Authorization: Bearer KEY.')
output OPENAI_BASE_URL string = empty(url) ? '' : '${url}/v1'

import { Names, webhookSecret } from 'names.bicep'
import { roles } from 'roles.bicep'
import { busHost, gatewayVariables } from 'variables.bicep'
import { Settings, Tags } from 'types.bicep'

// The gateway on a Premium plan of Functions, as the same container image: a folder would need a file share, and that a shared key.

param names Names
param location string
param tags Tags
param settings Settings

@description('In the registry of this deployment, or the host without functions, until `azd deploy` has built it.')
param image string

var hasBus = settings.transport == 'servicebus'

resource identity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: names.gatewayIdentity
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' existing = {
  name: names.registry
}

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: names.storage
}

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = if (hasBus) {
  name: names.serviceBus
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: names.vault
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: names.insights
}

// All identities of a site are its code's. So it pulls with its own, and the platform's stays away.
resource pull 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(registry.id, names.gatewayIdentity, roles.acrPull)
  scope: registry
  properties: {
    principalId: identity.properties.principalId
    principalType: 'ServicePrincipal'
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', roles.acrPull)
  }
}

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: names.plan
  location: location
  tags: tags
  kind: 'elastic'
  sku: { name: 'EP1', tier: 'ElasticPremium' }
  properties: {
    maximumElasticWorkerCount: settings.gateway.maxReplicas
    reserved: true
  }
}

resource site 'Microsoft.Web/sites@2025-03-01' = {
  name: names.premiumGateway
  location: location
  kind: 'functionapp,linux,container'
  tags: { ...tags, 'azd-service-name': 'gateway-premium' }
  identity: { type: 'UserAssigned', userAssignedIdentities: { '${identity.id}': {} } }
  properties: {
    clientAffinityEnabled: false
    httpsOnly: true
    keyVaultReferenceIdentity: identity.id
    serverFarmId: plan.id
    siteConfig: {
      acrUseManagedIdentityCreds: true
      acrUserManagedIdentityID: identity.properties.clientId
      ftpsState: 'Disabled'
      functionAppScaleLimit: settings.gateway.maxReplicas
      healthCheckPath: '/health/ready'
      http20Enabled: true
      linuxFxVersion: 'DOCKER|${image}'
      minTlsVersion: '1.2'
      minimumElasticInstanceCount: max(settings.gateway.minReplicas, 1)
      preWarmedInstanceCount: 1
      appSettings: [
        ...gatewayVariables(settings, identity.properties.clientId, {
          account: account.name
          bus: hasBus ? busHost(namespace!.properties.serviceBusEndpoint) : ''
          vault: vault.properties.vaultUri
          insights: insights.properties.ConnectionString
        })
        ...(empty(settings.gateway.webhookHosts)
          ? []
          : [
              {
                name: 'R1_WEBHOOK_SECRET'
                value: '@Microsoft.KeyVault(SecretUri=${vault.properties.vaultUri}secrets/${webhookSecret})'
              }
            ])
        { name: 'WEBSITES_ENABLE_APP_SERVICE_STORAGE', value: 'false' }
        { name: 'WEBSITES_PORT', value: '8080' }
        // An instance gets callers once it answers there.
        { name: 'WEBSITE_WARMUP_PATH', value: '/health/ready' }
      ]
    }
  }

  resource ftp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource scm 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

output url string = 'https://${site.properties.defaultHostName}'

import { names, token, webhookSecret } from 'modules/names.bicep'
import { busHost, gatewayVariables } from 'modules/variables.bicep'
import { Settings } from 'modules/types.bicep'

param environmentName string
param location string
param settings Settings

@description('In the registry of this deployment.')
param image string

var its = names(environmentName, token(subscription().subscriptionId, environmentName, location))
var hasBus = settings.transport == 'servicebus'
var hasWebhooks = !empty(settings.gateway.webhookHosts)

resource gatewayIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: its.gatewayIdentity
}

resource platformIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: its.platformIdentity
}

resource environment 'Microsoft.App/managedEnvironments@2026-07-01' existing = {
  name: its.environment
}

resource registry 'Microsoft.ContainerRegistry/registries@2025-11-01' existing = {
  name: its.registry
}

resource account 'Microsoft.Storage/storageAccounts@2026-06-01' existing = {
  name: its.storage
}

resource namespace 'Microsoft.ServiceBus/namespaces@2026-01-01' existing = if (hasBus) {
  name: its.serviceBus
}

resource vault 'Microsoft.KeyVault/vaults@2025-05-01' existing = {
  name: its.vault
}

resource insights 'Microsoft.Insights/components@2020-02-02' existing = {
  name: its.insights
}

// Scale rules are the platform's: it makes them of the functions' triggers.
resource gateway 'Microsoft.App/containerApps@2026-07-01' = {
  name: its.gateway
  location: location
  kind: 'functionapp'
  tags: { ...settings.tags, 'azd-env-name': environmentName, 'azd-service-name': 'gateway' }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${gatewayIdentity.id}': {}, '${platformIdentity.id}': {} }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      identitySettings: [
        { identity: gatewayIdentity.id, lifecycle: 'Main' }
        { identity: platformIdentity.id, lifecycle: 'None' }
      ]
      ingress: { external: true, targetPort: 8080, transport: 'auto', allowInsecure: false }
      registries: [{ server: registry.properties.loginServer, identity: platformIdentity.id }]
      secrets: hasWebhooks
        ? [
            {
              name: webhookSecret
              keyVaultUrl: '${vault.properties.vaultUri}secrets/${webhookSecret}'
              identity: gatewayIdentity.id
            }
          ]
        : []
    }
    template: {
      // As long as the platform waits. The host gives open calls 30 seconds, and lets a queue's function come to its end.
      terminationGracePeriodSeconds: 600
      containers: [
        {
          name: 'gateway'
          image: image
          resources: { cpu: 1, memory: '2Gi' }
          env: [
            ...gatewayVariables(settings, gatewayIdentity.properties.clientId, {
              account: account.name
              bus: hasBus ? busHost(namespace!.properties.serviceBusEndpoint) : ''
              vault: vault.properties.vaultUri
              insights: insights.properties.ConnectionString
            })
            ...(hasWebhooks ? [{ name: 'R1_WEBHOOK_SECRET', secretRef: webhookSecret }] : [])
          ]
          probes: [
            {
              type: 'Startup'
              httpGet: { path: '/health/live', port: 8080 }
              periodSeconds: 5
              failureThreshold: 10
              timeoutSeconds: 5
            }
            {
              type: 'Liveness'
              httpGet: { path: '/health/live', port: 8080 }
              periodSeconds: 10
              failureThreshold: 6
              timeoutSeconds: 5
            }
            {
              type: 'Readiness'
              httpGet: { path: '/health/ready', port: 8080 }
              periodSeconds: 5
              failureThreshold: 3
              timeoutSeconds: 5
            }
          ]
        }
      ]
      scale: { minReplicas: settings.gateway.minReplicas, maxReplicas: settings.gateway.maxReplicas }
    }
  }
}

output R1_URL string = 'https://${gateway.properties.configuration.ingress.fqdn}'

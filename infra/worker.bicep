import { modelsContainer, names, routeQueues, token, scaledQueues } from 'modules/names.bicep'
import { busHost, variables } from 'modules/variables.bicep'
import { Settings } from 'modules/types.bicep'

param environmentName string
param location string
param settings Settings

@description('In the registry of this deployment.')
param image string

var its = names(environmentName, token(subscription().subscriptionId, environmentName, location))
var hasGpu = settings.gpu != 'none'
var hasBus = settings.transport == 'servicebus'

// The whole of what a GPU profile gives a replica; on the CPU the most that Consumption has.
var sizes = {
  none: { cpu: 4, memory: '8Gi' }
  T4: { cpu: 8, memory: '56Gi' }
  A100: { cpu: 24, memory: '220Gi' }
}

resource workerIdentity 'Microsoft.ManagedIdentity/userAssignedIdentities@2024-11-30' existing = {
  name: its.workerIdentity
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

resource worker 'Microsoft.App/containerApps@2026-07-01' = {
  name: its.worker
  location: location
  tags: { ...settings.tags, 'azd-env-name': environmentName, 'azd-service-name': 'worker' }
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${workerIdentity.id}': {}, '${platformIdentity.id}': {} }
  }
  properties: {
    environmentId: environment.id
    workloadProfileName: hasGpu ? 'gpu' : 'Consumption'
    configuration: {
      activeRevisionsMode: 'Single'
      identitySettings: [
        { identity: workerIdentity.id, lifecycle: 'Main' }
        { identity: platformIdentity.id, lifecycle: 'None' }
      ]
      registries: [{ server: registry.properties.loginServer, identity: platformIdentity.id }]
    }
    template: {
      // What `r1 serve` needs to end streams, to hand back the rest, and to close.
      terminationGracePeriodSeconds: settings.worker.graceSeconds + 15
      containers: [
        {
          name: 'worker'
          image: image
          args: ['serve', '--role', 'worker', '--data', '/var/lib/r1', '--grace', string(settings.worker.graceSeconds), ...settings.worker.arguments]
          resources: { cpu: sizes[settings.gpu].cpu, memory: sizes[settings.gpu].memory }
          env: [
            ...variables(
              settings,
              workerIdentity.properties.clientId,
              [{ name: 'R1_STORAGE', value: account.properties.primaryEndpoints.blob }],
              hasBus ? busHost(namespace!.properties.serviceBusEndpoint) : '',
              vault.properties.vaultUri,
              insights.properties.ConnectionString,
              settings.worker.costPerHour
            )
            ...(settings.worker.models == 'repository'
              ? [{ name: 'R1_MODELS', value: '${account.properties.primaryEndpoints.blob}${modelsContainer}' }]
              : [])
            { name: 'ASPNETCORE_URLS', value: 'http://+:7071' }
          ]
          probes: [
            { type: 'Startup', httpGet: { path: '/health/live', port: 7071 }, periodSeconds: 5, failureThreshold: 10, timeoutSeconds: 5 }
            { type: 'Liveness', httpGet: { path: '/health/live', port: 7071 }, periodSeconds: 10, failureThreshold: 6, timeoutSeconds: 5 }
            { type: 'Readiness', httpGet: { path: '/health/ready', port: 7071 }, periodSeconds: 5, failureThreshold: 3, timeoutSeconds: 5 }
          ]
        }
      ]
      scale: {
        minReplicas: settings.worker.minReplicas
        maxReplicas: settings.worker.maxReplicas
        pollingInterval: 10
        cooldownPeriod: settings.worker.cooldownSeconds
        // The queue that asks for most decides. What is being worked on counts: a busy worker is not taken away.
        rules: [
          for queue in [...scaledQueues, ...routeQueues(settings.worker.routes)]: {
            name: queue
            custom: settings.transport == 'storage'
              ? {
                  type: 'azure-queue'
                  metadata: { accountName: its.storage, queueName: queue, queueLength: string(settings.worker.requestsPerReplica) }
                  identity: platformIdentity.id
                }
              : {
                  type: 'azure-servicebus'
                  metadata: { namespace: its.serviceBus, queueName: queue, messageCount: string(settings.worker.requestsPerReplica) }
                  identity: platformIdentity.id
                }
          }
        ]
      }
    }
  }
}

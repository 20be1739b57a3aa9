import { Names } from 'names.bicep'
import { roles } from 'roles.bicep'
import { Principals, Tags } from 'types.bicep'

param names Names
param location string
param tags Tags
param retentionDays int
param principals Principals

resource logs 'Microsoft.OperationalInsights/workspaces@2026-03-01' = {
  name: names.logs
  location: location
  tags: tags
  properties: {
    features: { disableLocalAuth: true }
    retentionInDays: retentionDays
    sku: { name: 'PerGB2018' }
  }
}

resource insights 'Microsoft.Insights/components@2020-02-02' = {
  name: names.insights
  location: location
  tags: tags
  kind: 'web'
  properties: {
    Application_Type: 'web'
    DisableLocalAuth: true
    WorkspaceResourceId: logs.id
  }
}

resource publish 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for one in [
    { identity: names.gatewayIdentity, principal: principals.gateway }
    { identity: names.workerIdentity, principal: principals.worker }
  ]: {
    name: guid(insights.id, one.identity, roles.monitoringMetricsPublisher)
    scope: insights
    properties: {
      principalId: one.principal
      principalType: 'ServicePrincipal'
      roleDefinitionId: subscriptionResourceId(
        'Microsoft.Authorization/roleDefinitions',
        roles.monitoringMetricsPublisher
      )
    }
  }
]

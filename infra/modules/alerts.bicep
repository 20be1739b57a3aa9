import { Names } from 'names.bicep'
import { Settings, Tags } from 'types.bicep'

param names Names
param location string
param tags Tags
param settings Settings

// What docs/operate.md says to worry about, by its instruments. A metric that nobody sends is no alarm: a system at rest sends none.
var rules = [
  {
    name: 'dead-letters'
    says: 'Requests were put aside: r1 queue dead-letters shows the reasons.'
    severity: 2
    query: 'AppMetrics | where Name == "dead_letters" | summarize Value = max(Max) by bin(TimeGenerated, 5m)'
    threshold: 0
  }
  {
    name: 'oldest-interactive'
    says: 'Callers wait about as long as they may, and are refused next: more workers, or a faster start.'
    severity: 2
    query: 'AppMetrics | where Name == "queue_oldest_age" and tostring(Properties["class"]) == "interactive" | summarize Value = max(Max) by bin(TimeGenerated, 5m)'
    threshold: settings.gateway.maxWaitSeconds * 3 / 4
  }
  {
    name: 'oldest-bulk'
    says: 'Bulk work has waited for 12 hours, and batches must end within 24.'
    severity: 3
    query: 'AppMetrics | where Name == "queue_oldest_age" and tostring(Properties["class"]) == "bulk" | summarize Value = max(Max) by bin(TimeGenerated, 5m)'
    threshold: 43200
  }
  {
    name: 'out-of-memory'
    says: 'Runs did not fit into memory and were rolled back: lower --kv-memory, see docs/operate.md.'
    severity: 3
    query: 'AppMetrics | where Name == "oom_error" | summarize Value = sum(Sum) by bin(TimeGenerated, 5m)'
    threshold: 3
  }
]

resource logs 'Microsoft.OperationalInsights/workspaces@2026-03-01' existing = {
  name: names.logs
}

resource actions 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: names.actions
  location: 'global'
  tags: tags
  properties: {
    enabled: true
    groupShortName: 'r1'
    emailReceivers: [
      for (mail, at) in settings.mails: { name: 'mail-${at}', emailAddress: mail, useCommonAlertSchema: true }
    ]
  }
}

resource alerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for rule in rules: {
    name: '${rule.name}-${names.insights}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'r1: ${rule.name}'
      description: rule.says
      severity: rule.severity
      enabled: true
      scopes: [logs.id]
      evaluationFrequency: 'PT5M'
      windowSize: 'PT15M'
      autoMitigate: true
      // The table is there once something has been sent.
      skipQueryValidation: true
      criteria: {
        allOf: [
          {
            query: rule.query
            metricMeasureColumn: 'Value'
            timeAggregation: 'Maximum'
            operator: 'GreaterThan'
            threshold: rule.threshold
            failingPeriods: { numberOfEvaluationPeriods: 1, minFailingPeriodsToAlert: 1 }
          }
        ]
      }
      actions: { actionGroups: [actions.id] }
    }
  }
]
